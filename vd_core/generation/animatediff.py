"""AnimateDiff (Guo et al. 2023): motion modules between the image modules."""

from collections.abc import Callable

import torch
from diffusers import AnimateDiffPipeline, DPMSolverMultistepScheduler, MotionAdapter

from vd_core.bases.encode import aside, decode
from vd_core.bases.motion_unet import build_motion_unet
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.denoise import WINDOW, Denoiser, make_scheduler
from vd_core.generation.guides import Guides, Scheduler, enter, hold_stage, put_back
from vd_core.generation.pictures import draw_noise
from vd_core.generation.unet import Unrolled, without_motion
from vd_core.seeds import generator_for, seed_for


def build_animatediff(base: Base, motion_adapter: MotionAdapter) -> AnimateDiffPipeline:
    """diffusers' pipeline over the base's own parts, nothing copied: what loads a LoRA (`load_lora_weights`)."""
    unet = build_motion_unet(base.unet.to(memory_format=torch.channels_last), motion_adapter)
    pipeline = AnimateDiffPipeline(base.vae, base.text_encoder, base.tokenizer, unet, motion_adapter, make_video_scheduler(base, 1))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def make_video_scheduler(base: Base, num_inference_steps: int) -> DPMSolverMultistepScheduler:
    """DPM-Solver++ of second order over the motion modules' noise schedule."""
    scheduler = DPMSolverMultistepScheduler.from_config(base.video_noise_scheduler.config)
    scheduler.set_timesteps(num_inference_steps)
    return scheduler


@torch.no_grad()
def generate_animatediff(
    base: Base,
    net: Unrolled,
    prompt_embeds: torch.Tensor,
    seeds: list[int],
    num_frames: int,
    num_inference_steps: int,
    guidance_scale: float,
    fast: bool,
    scheduler_of: Callable[[Base, int], Scheduler] = make_video_scheduler,
    guides: Guides | None = None,
    still: bool = False,
) -> torch.Tensor:
    """Clips `[n, f, 3, h, w]` in [-1, 1], one a seed; `prompt_embeds` `[n + 1, length, width]` is the empty prompt's, then theirs.

    `still`: clips of one frame, by the image modules alone. Of the clips' `guides` the regions and the stage count. The clips of one call are computed at once; a seed's clip is the same alone and in company but for rounding.
    """
    if still:
        net, num_frames, scheduler_of = without_motion(net), 1, make_scheduler
    scheduler = scheduler_of(base, num_inference_steps)
    denoiser = Denoiser(base, net, prompt_embeds, scheduler.timesteps, guidance_scale, False, fast, guides and guides.regions)
    noise = torch.stack([draw_clip_noise(base, seed, num_frames) for seed in seeds])
    stage = guides and guides.stage
    entered, first = enter(stage, base.video_noise_scheduler, scheduler, noise)
    hold = hold_stage(stage, base.video_noise_scheduler, scheduler, noise)
    latents = denoiser.denoise(entered, scheduler, first, num_inference_steps, hold)
    with aside(base, net.unet):
        return put_back(decode(base, latents.flatten(0, 1)).clamp(-1, 1).unflatten(0, (len(seeds), num_frames)), stage)


def draw_clip_noise(base: Base, seed: int, num_frames: int) -> torch.Tensor:
    """A clip's first latents `[f, c, h, w]`: each frame its own, up to WINDOW; later ones repeat these in another order (FreeNoise, Qiu et al. 2024)."""
    first = torch.stack([draw_noise(base, seed_for("frame", seed, frame)) for frame in range(min(num_frames, WINDOW))])
    generator = generator_for("free noise", seed)
    others = [first[torch.randperm(WINDOW, generator=generator)] for _ in range(WINDOW, num_frames, WINDOW)]
    return torch.cat([first, *others])[:num_frames]
