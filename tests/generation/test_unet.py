"""Our order of work in the U-Net against diffusers' own: the same values, whole and in parts."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from diffusers import AnimateDiffPipeline, DDIMScheduler

from vd_core.bases.encode import decode, embed_prompts
from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.generation import denoise
from vd_core.generation.animatediff import build_animatediff, draw_clip_noise, generate_animatediff
from vd_core.generation.attention import Conditions, self_attention
from vd_core.generation.denoise import OVERLAP, WINDOW, Denoiser, Step, find_windows
from vd_core.generation.layers import fold_upsampled, upsample
from vd_core.generation.unet import call_unet, embed_texts, embed_times, unroll

SIZE = torch.Size((3, 3))
TIMESTEPS = torch.tensor([900, 10])
WHOLE = Step(guided=True, deep=True)


@pytest.fixture
def embeds(base: Base) -> torch.Tensor:
    return embed_prompts(base, ["a sks dog", "a cat in the snow"])  # [3, n, d]


def draw(base: Base, *sizes: int) -> torch.Tensor:
    return torch.randn(*sizes, *base.latent_shape, generator=torch.Generator().manual_seed(0))


def denoiser_of(base: Base, embeds: torch.Tensor, cross_frame: bool, fast: bool = False) -> Denoiser:
    assert base.motion_adapter is not None
    net = unroll(base.unet if cross_frame else build_animatediff(base, base.motion_adapter).unet)
    return Denoiser(base, net, embeds, TIMESTEPS, 3.0, cross_frame, fast)


@torch.no_grad()
def test_two_prompts_in_one_call_are_diffusers_two(base: Base, embeds: torch.Tensor) -> None:
    """What comes before the first text attention is computed once for both."""
    sample = draw(base, 2)
    expected = torch.cat([base.unet(sample, TIMESTEPS[1], e.expand(2, -1, -1)).sample for e in embeds[:2]])
    net = unroll(base.unet)
    times = {block: own[1] for block, own in embed_times(base.unet, TIMESTEPS).items()}
    got, _ = call_unet(net, sample, Conditions(times, embed_texts(base.unet, embeds[:2]), 2, 2, None))
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_convolution_after_doubling_is_four_before_it() -> None:
    x, weight, bias = torch.randn(2, 3, 4, 6), torch.randn(5, 3, 3, 3), torch.randn(5)
    expected = F.conv2d(F.interpolate(x, scale_factor=2.0, mode="nearest"), weight, bias, padding=1)
    torch.testing.assert_close(upsample(fold_upsampled(weight), bias, x), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_every_frames_queries_meet_the_first_frames_keys(base: Base) -> None:
    """Frame by frame, head by head; and frames that come in a later call meet the same."""
    attn = next(m for n, m in base.unet.named_modules() if n.endswith("attn1"))
    hidden = torch.randn(6, 9, attn.to_q.in_features)  # two clips of three frames
    conditions = Conditions({}, {}, 2, 3, {})
    got = self_attention(attn, hidden, SIZE, conditions)
    for i, states in enumerate(hidden):
        first = hidden[i // 3 * 3]
        q, k, v = attn.to_q(states), attn.to_k(first), attn.to_v(first)
        heads = [
            torch.softmax(qh @ kh.T * qh.shape[-1] ** -0.5, -1) @ vh
            for qh, kh, vh in zip(q.chunk(attn.heads, -1), k.chunk(attn.heads, -1), v.chunk(attn.heads, -1), strict=True)
        ]
        torch.testing.assert_close(got[i], attn.to_out[0](torch.cat(heads, -1)), rtol=1e-4, atol=1e-5)
    later = self_attention(attn, hidden[[2, 5]], SIZE, Conditions({}, {}, 2, 1, conditions.first_frame))
    torch.testing.assert_close(later, got[[2, 5]], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cross_frame", [True, False])
@torch.no_grad()
def test_a_small_budget_changes_nothing(base: Base, embeds: torch.Tensor, cross_frame: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Branch by branch, and with cross-frame attention frame by frame, where memory is short."""
    latents = draw(base, 2, 5)
    whole = denoiser_of(base, embeds, cross_frame).predict(latents, 0, WHOLE)
    sizes = []
    call = call_unet
    monkeypatch.setattr(denoise, "samples_at_once", lambda base: 4)
    monkeypatch.setattr(denoise, "call_unet", lambda net, z, *more: sizes.append(len(z)) or call(net, z, *more))
    parts = denoiser_of(base, embeds, cross_frame).predict(latents, 0, WHOLE)
    assert sizes == ([4, 4, 2] * 2 if cross_frame else [10, 10])
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_an_animatediff_clip_is_diffusers_own(base: Base, base_folders: dict[str, Path]) -> None:
    """Float32, the same noise, solver and steps: every pixel within 2/255."""
    other = load_base(folder_source(base_folders["sd1"]), torch.device("cpu"))
    embeds = embed_prompts(base, ["a sks dog"])

    def scheduler_of(base: Base, steps: int) -> DDIMScheduler:
        scheduler = DDIMScheduler.from_config(base.video_noise_scheduler.config, clip_sample=False)
        scheduler.set_timesteps(steps)
        return scheduler

    pipeline: AnimateDiffPipeline = build_animatediff(other, other.motion_adapter)
    pipeline.scheduler = scheduler_of(other, 6)
    latents = draw_clip_noise(base, 3, 4).transpose(0, 1)[None]
    options = {"num_frames": 4, "num_inference_steps": 6, "guidance_scale": 3.0, "height": base.resolution, "width": base.resolution}
    theirs = pipeline(prompt_embeds=embeds[1:], negative_prompt_embeds=embeds[:1], latents=latents, output_type="latent", **options).frames
    ours = generate_animatediff(
        base, unroll(build_animatediff(base, base.motion_adapter).unet), embeds, [3], 4, 6, 3.0, False, scheduler_of
    )
    expected = decode(other, theirs[0].transpose(0, 1)).clamp(-1, 1)
    assert float((ours[0] - expected).abs().max()) * 127.5 < 2
    assert float((ours[0, 0] - ours[0, 1]).abs().max()) * 127.5 > 2


def test_windows_cover_long_clips_evenly() -> None:
    for frames in (8, WINDOW, WINDOW + 1, 32, 64):
        windows = find_windows(frames)
        assert {i for w in windows for i in range(frames)[w]} == set(range(frames))
        assert all(w.stop - w.start == min(frames, WINDOW) for w in windows)
        assert all(a.stop - b.start >= OVERLAP for a, b in pairwise(windows))


@torch.no_grad()
def test_more_frames_than_motion_modules_hold(base: Base, embeds: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The adapter has places for 16 frames; 40 take windows of 16, and each call sees no more."""
    sizes = []
    call = call_unet
    monkeypatch.setattr(denoise, "call_unet", lambda net, z, *more: sizes.append(len(z)) or call(net, z, *more))
    net = unroll(build_animatediff(base, base.motion_adapter).unet)
    clip = generate_animatediff(base, net, embeds[:2], [0], 40, 2, 3.0, fast=False)
    assert clip.shape == (1, 40, 3, base.resolution, base.resolution) and set(sizes) == {WINDOW}
    noise = draw_clip_noise(base, 0, 40)
    assert {tuple(n.flatten().tolist()) for n in noise[:16]} == {tuple(n.flatten().tolist()) for n in noise[16:32]}


@pytest.mark.parametrize("cross_frame", [True, False])
@torch.no_grad()
def test_fast_mode_computes_less(base: Base, embeds: torch.Tensor, cross_frame: bool) -> None:
    """A step that keeps the deep features, taken at the very latents that they are of, gives what the whole step gives."""
    denoiser = denoiser_of(base, embeds, cross_frame, fast=True)
    latents = draw(base, 2, 3)
    whole = denoiser.predict(latents, 1, WHOLE)
    kept = denoiser.predict(latents, 1, Step(guided=True, deep=False))
    torch.testing.assert_close(kept, whole, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(denoiser.predict(latents + 1, 1, Step(True, False)), denoiser.predict(latents + 1, 1, WHOLE), atol=1e-5)
    denoiser.predict(latents, 1, WHOLE)
    unguided = denoiser.predict(latents, 1, Step(guided=False, deep=False))
    torch.testing.assert_close(unguided, denoiser.predict(latents, 1, Step(guided=False, deep=True)), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(unguided, whole, atol=1e-4)
