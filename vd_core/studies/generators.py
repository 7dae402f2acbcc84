"""Both generators to be timed and judged: ours, and diffusers' pipelines, as they ship and at equal settings. Each takes a base of its own."""

from collections.abc import Callable

import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, MotionAdapter, TextToVideoZeroPipeline

from vd_core.bases.encode import embed_prompts
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.animatediff import build_animatediff, draw_clip_noise, generate_animatediff, make_video_scheduler
from vd_core.generation.denoise import make_scheduler
from vd_core.generation.pictures import draw_noise
from vd_core.generation.text2video_zero import generate_text2video_zero
from vd_core.generation.unet import unroll
from vd_core.seeds import generator_for

FRAMES = {"zero": 8, "animatediff": 16}
Make = Callable[[list[str], list[int]], torch.Tensor]
"""(prompts, a seed each) to clips `[n, f, 3, h, w]` in [-1, 1]; ours all at once, diffusers' one by one."""

DEFAULT_STEPS, DEFAULT_T_WARP, DEFAULT_T_FORWARD = 50, 44, 47
"""diffusers' defaults; its t0 and t1 are T' and T."""
EQUAL_STEPS, EQUAL_T_WARP, EQUAL_T_FORWARD = 25, 19, 20
STRENGTH = (12.0, 12.0)


class ExactNoise(TextToVideoZeroPipeline):
    """diffusers' pipeline whose added noise is that from t0 to t1; its own is that of the timesteps before them (`alphas[t0:t1]`)."""

    def forward_loop(self, x_t0: torch.Tensor, t0: int, t1: int, generator: torch.Generator | None) -> torch.Tensor:
        return super().forward_loop(x_t0, t0 + 1, t1 + 1, generator)


def first_order(base: Base, num_inference_steps: int) -> DPMSolverMultistepScheduler:
    """The solver of the first order, which has no memory: of the second, diffusers hands frame 1's to all frames."""
    scheduler = DPMSolverMultistepScheduler.from_config(base.noise_scheduler.config, solver_order=1)
    scheduler.set_timesteps(num_inference_steps)
    return scheduler


def our_zero(base: Base, guidance_scale: float, frames: int, fast: bool, equal: bool, steps: int = EQUAL_STEPS) -> Make:
    """Text2Video-Zero as the presets of Stable Diffusion have it; at equal settings with the solver of the first order."""
    net = unroll(base.unet)
    forward, warp = steps * EQUAL_T_FORWARD // EQUAL_STEPS, steps * EQUAL_T_FORWARD // EQUAL_STEPS - 1

    def make(prompts: list[str], seeds: list[int]) -> torch.Tensor:
        embeds = embed_prompts(base, prompts)
        scheduler_of = first_order if equal else make_scheduler
        return generate_text2video_zero(
            base, net, embeds, seeds, frames, steps, guidance_scale, STRENGTH, forward, warp, fast, scheduler_of
        )

    return make


def their_zero(base: Base, guidance_scale: float, frames: int, equal: bool) -> Make:
    """diffusers' TextToVideoZeroPipeline over a base of its own; with DDIM, where settings are not equal."""
    steps, t0, t1 = (EQUAL_STEPS, EQUAL_T_WARP, EQUAL_T_FORWARD) if equal else (DEFAULT_STEPS, DEFAULT_T_WARP, DEFAULT_T_FORWARD)
    kind = ExactNoise if equal else TextToVideoZeroPipeline
    scheduler = first_order(base, steps) if equal else DDIMScheduler.from_config(base.noise_scheduler.config, clip_sample=False)
    pipeline = kind(base.vae, base.text_encoder, base.tokenizer, base.unet, scheduler, None, None, False)
    pipeline.set_progress_bar_config(disable=True)

    def make_one(prompt: str, seed: int) -> torch.Tensor:
        pictures = pipeline(
            prompt,
            video_length=frames,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            generator=generator_for("renoise", seed),
            latents=draw_noise(base, seed)[None],
            motion_field_strength_x=STRENGTH[0],
            motion_field_strength_y=STRENGTH[1],
            t0=t0,
            t1=t1,
            output_type="np",
        ).images
        return torch.from_numpy(pictures).permute(0, 3, 1, 2) * 2 - 1

    return one_by_one(make_one)


def our_animatediff(base: Base, guidance_scale: float, frames: int, fast: bool, steps: int = EQUAL_STEPS) -> Make:
    """AnimateDiff as the presets have it."""
    net = unroll(build_animatediff(base, adapter_of(base)).unet)

    def make(prompts: list[str], seeds: list[int]) -> torch.Tensor:
        return generate_animatediff(base, net, embed_prompts(base, prompts), seeds, frames, steps, guidance_scale, fast)

    return make


def their_animatediff(base: Base, guidance_scale: float, frames: int, equal: bool) -> Make:
    """diffusers' AnimateDiffPipeline: DDIM at 50 steps, as its documents say, or our solver and steps."""
    pipeline = build_animatediff(base, adapter_of(base))
    pipeline.unet.to(memory_format=torch.contiguous_format)  # as it is read
    steps = EQUAL_STEPS if equal else DEFAULT_STEPS
    ddim = DDIMScheduler.from_config(base.video_noise_scheduler.config, clip_sample=False, timestep_spacing="linspace")
    pipeline.scheduler = make_video_scheduler(base, steps) if equal else ddim

    def make_one(prompt: str, seed: int) -> torch.Tensor:
        video = pipeline(
            prompt,
            num_frames=frames,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            latents=draw_clip_noise(base, seed, frames).transpose(0, 1)[None],
            height=base.resolution,
            width=base.resolution,
            output_type="pt",
        ).frames
        return torch.as_tensor(video)[0] * 2 - 1

    return one_by_one(make_one)


def one_by_one(make_one: Callable[[str, int], torch.Tensor]) -> Make:
    """Clips of a pipeline that makes a single one."""
    return lambda prompts, seeds: torch.stack([make_one(prompt, seed) for prompt, seed in zip(prompts, seeds, strict=True)])


def adapter_of(base: Base) -> MotionAdapter:
    """The base's motion modules; ValueError if it has none."""
    if base.motion_adapter is None:
        raise ValueError("the base has no motion modules; take one that has, as the embedded one")
    return base.motion_adapter


def open_version(base: Base, generator: str, version: str, guidance_scale: float, frames: int, steps: int = EQUAL_STEPS) -> Make:
    """One generator's `version` over a base of its own: ours, fast, peer, and at equal settings ours_same, peer_same."""
    equal = version.endswith("_same")
    if generator == "zero":
        if version.startswith("peer"):
            return their_zero(base, guidance_scale, frames, equal)
        return our_zero(base, guidance_scale, frames, version == "fast", equal, steps)
    if version.startswith("peer"):
        return their_animatediff(base, guidance_scale, frames, equal)
    return our_animatediff(base, guidance_scale, frames, version == "fast", steps)
