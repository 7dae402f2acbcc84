"""Text2Video-Zero: what its parts must be, and that a seed fixes the bytes."""

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler, TextToVideoZeroPipeline

from tasks.shared.yaml_files import read_yaml
from tests.helpers.pictures import noise_picture
from tests.helpers.training import make_motion_settings
from vd_core.bases.encode import embed_prompts
from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.generation import text2video_zero
from vd_core.generation.animatediff import build_animatediff
from vd_core.generation.pictures import draw_noise, generate_pictures
from vd_core.generation.text2video_zero import add_noise_between, generate_text2video_zero, warp_latents
from vd_core.generation.unet import unroll
from vd_core.methods.motion import finetune_motion, whole_clip
from vd_core.seeds import generator_for
from vd_core.training.loop import Progress

ROOT = Path(__file__).parents[2]


def clip_of(base: Base, seed: int = 0, strength: tuple[float, float] = (12.0, 12.0), frames: int = 3) -> torch.Tensor:
    return generate_text2video_zero(
        base, unroll(base.unet), embed_prompts(base, ["a sks dog"]), [seed], frames, 8, 3.0, strength, 6, 4, fast=False
    )[0]


def test_zero_motion_is_the_identity() -> None:
    latents = torch.randn(4, 2, 8, 8)
    assert torch.equal(warp_latents(latents, torch.arange(4), (0.0, 0.0)), latents)


def test_a_shift_of_whole_latents_is_a_shift() -> None:
    latents = torch.randn(1, 2, 8, 8)
    moved = warp_latents(latents, torch.tensor([2]), (512 / 8, 0.0))  # two columns to the left
    assert torch.equal(moved[..., :-2], latents[..., 2:])
    assert torch.equal(moved[..., -2:], latents[..., -2:].flip(-1))  # mirrored at the border
    up = warp_latents(latents, torch.tensor([1]), (0.0, 512 / 8))
    assert torch.equal(up[:, :, :-1], latents[:, :, 1:])


@pytest.mark.parametrize("side", [8, 16, 64, 96])
def test_the_warp_repeats_no_latent(side: int) -> None:
    """At 64 latents the usual strength is a shift of 1.5 a frame: rounded latent by latent, three in four were repeated."""
    latents = torch.arange(side * side).float().reshape(1, 1, side, side).expand(7, -1, -1, -1)
    moved = warp_latents(latents, torch.arange(1, 8), (12.0, 12.0))
    kept = side - round(7 * 12 * side / 512)  # what the border mirrors stands twice
    for frame in moved:
        inside = frame[0, :kept, :kept]
        assert len(inside.unique()) == inside.numel()


@pytest.mark.parametrize("side", [8, 16, pytest.param(64, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_a_clip_is_diffusers_own(base: Base, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal settings, first-order solver (of the second, diffusers hands frame 1's memory to all frames): the final latents to 1e-3."""
    base.unet.register_to_config(sample_size=side)
    base.latent_shape = (base.latent_shape[0], side, side)
    first_order = partial(DPMSolverMultistepScheduler.from_config, base.noise_scheduler.config, solver_order=1)
    noise = draw_noise(base, 3)[None]
    pipeline = TextToVideoZeroPipeline(base.vae, base.text_encoder, base.tokenizer, base.unet, first_order(), None, None, False)
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        "a sks dog", video_length=5, num_inference_steps=10, guidance_scale=3.0, generator=generator_for("renoise", 3), latents=noise,
        motion_field_strength_x=12.0, motion_field_strength_y=12.0, output_type="latent", t0=6, t1=7,
    ).images  # fmt: skip

    def scheduler_of(base: Base, num_inference_steps: int) -> DPMSolverMultistepScheduler:
        scheduler = first_order()
        scheduler.set_timesteps(num_inference_steps)
        return scheduler

    decoded: list[torch.Tensor] = []
    decode = base.vae.decode
    monkeypatch.setattr(base.vae, "decode", lambda z: decoded.append(z) or decode(z[:, :, :8, :8]))
    generate_text2video_zero(
        base, unroll(base.unet), embed_prompts(base, ["a sks dog"]), [3], 5, 10, 3.0, (12.0, 12.0), 7, 6, False, scheduler_of
    )
    ours = decoded[0] * base.vae.config.scaling_factor
    for a, b in zip(ours, theirs, strict=True):
        assert float((a - b).norm() / b.norm()) < 1e-3


def test_the_noise_added_to_warped_frames_is_not_the_clips_first(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was bitwise the same, and frame 2 came out with grain."""
    drawn: list[torch.Tensor] = []
    add = add_noise_between

    def listen(base: Base, latents: torch.Tensor, t_from: int, t_to: int, generator: torch.Generator) -> torch.Tensor:
        drawn.append(torch.randn(latents.shape, generator=generator.clone_state()))
        return add(base, latents, t_from, t_to, generator)

    monkeypatch.setattr(text2video_zero, "add_noise_between", listen)
    clip_of(base, seed=5)
    x_t = draw_noise(base, 5)
    for noise in drawn[0]:
        correlation = torch.corrcoef(torch.stack([noise.flatten(), x_t.flatten()]))[0, 1]
        assert abs(float(correlation)) < 0.3


def test_motion_modules_are_sampled_and_finetuned_on_their_own_schedule(base_folders: dict[str, Path]) -> None:
    """AnimateDiff's were trained on linear betas, Stable Diffusion 1.5's U-Net on scaled_linear ones."""
    assert read_yaml(ROOT / "presets" / "sd15.yaml")["source"]["video_beta_schedule"] == "linear"
    base = load_base(replace(folder_source(base_folders["sd1"]), video_beta_schedule="linear"), torch.device("cpu"))
    assert base.noise_scheduler.config.beta_schedule == "scaled_linear"
    assert base.video_noise_scheduler.config.beta_schedule == "linear"
    pipeline = build_animatediff(base, base.motion_adapter)
    torch.testing.assert_close(pipeline.scheduler.betas, torch.linspace(0.00085, 0.012, 1000))
    noisy = []
    add_noise = DDPMScheduler.add_noise
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DDPMScheduler, "add_noise", lambda self, *a: noisy.append(self.config.beta_schedule) or add_noise(self, *a))
        clip = [noise_picture(i, (base.resolution,) * 2) for i in range(2)]
        with tempfile.TemporaryDirectory() as folder:
            finetune_motion(base, [whole_clip(clip, "a dog")], make_motion_settings(steps=1), Progress(Path(folder)))
    assert noisy == ["linear"]


def test_noise_from_one_timestep_to_a_noisier_one(base: Base) -> None:
    """In two hops the same statistics as in one: z_to = sqrt(abar_to) x + sqrt(1 - abar_to) eps."""
    alphas = base.noise_scheduler.alphas_cumprod
    x = torch.full((1, 1, 64, 64), 3.0)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    at_from = alphas[300].sqrt() * x + (1 - alphas[300]).sqrt() * noise
    at_to = add_noise_between(base, at_from, 300, 700, torch.Generator().manual_seed(2))
    assert float(at_to.mean()) == pytest.approx(float(alphas[700].sqrt() * 3), abs=0.05)
    assert float(at_to.std()) == pytest.approx(float((1 - alphas[700]).sqrt()), abs=0.05)


def test_same_seed_same_clip_and_another_seed_another(base: Base) -> None:
    first = clip_of(base)
    assert first.shape == (3, 3, base.resolution, base.resolution)
    assert torch.equal(first, clip_of(base))
    assert not torch.equal(first, clip_of(base, seed=1))
    assert not torch.equal(first[0], first[1])


def test_the_order_of_t_is_checked(base: Base) -> None:
    with pytest.raises(ValueError, match="t_forward"):
        generate_text2video_zero(base, unroll(base.unet), embed_prompts(base, ["a"]), [0], 2, 8, 3.0, (0.0, 0.0), 3, 5, fast=False)


def test_a_u_net_that_learns_draws_what_it_draws_when_whole(base: Base) -> None:
    """A validation's pictures come by diffusers' pipeline, all others by our own call."""
    whole = generate_pictures(base, ["a dog", "a cat"], [1, 2], 4, 3.0)
    base.unet.conv_in.requires_grad_(True)
    learning = generate_pictures(base, ["a dog", "a cat"], [1, 2], 4, 3.0)
    base.unet.conv_in.requires_grad_(False)
    assert all(np.abs(np.subtract(a, b, dtype=float)).max() <= 1 for a, b in zip(whole, learning, strict=True))


def test_a_pictures_seed_is_its_own(base: Base) -> None:
    """The same prompt and seed give the same picture alone and in company."""
    together = generate_pictures(base, ["a dog", "a cat"], [1, 2], 4, 3.0)
    alone = generate_pictures(base, ["a cat"], [2], 4, 3.0)
    difference = [abs(a - b) for a, b in zip(together[1].tobytes(), alone[0].tobytes(), strict=True)]
    assert max(difference) <= 1
