"""Several single pictures at once by our own U-Net call, each a clip of one frame."""

import torch

from vd_core.bases.memory import samples_at_once
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.denoise import Denoiser, make_scheduler
from vd_core.generation.guides import Stage, enter, hold_stage
from vd_core.generation.regions import Regions
from vd_core.generation.unet import unroll

LARGEST_BATCH = 8


def batch_of_pictures(base: Base) -> int:
    """How many pictures one call of the U-Net takes, each with and without its prompt."""
    return min(LARGEST_BATCH, max(1, samples_at_once(base) // 2))


def draw_noise(base: Base, seed: int) -> torch.Tensor:
    """The first latents of a picture, `[c, h, w]`, drawn on the CPU so that a seed means the same on every device."""
    return torch.randn(base.latent_shape, generator=torch.Generator().manual_seed(seed)).to(base.device)


@torch.no_grad()
def generate_together(
    base: Base,
    prompt_embeds: torch.Tensor,
    seeds: list[int],
    num_inference_steps: int,
    guidance_scale: float,
    regions: Regions | None = None,
    stage: Stage | None = None,
) -> torch.Tensor:
    """Latents `[n, c, h, w]` of one picture a seed; `prompt_embeds` `[n + 1, length, width]` is the empty prompt's, then theirs.

    The base's U-Net must be whole: what was learned lies in its weights. `regions` and `stage` are of n clips of one frame.
    """
    net, latents, batch = unroll(base.unet), [], batch_of_pictures(base)
    for i in range(0, len(seeds), batch):
        scheduler = make_scheduler(base, num_inference_steps)
        clips = list(range(len(seeds))[i : i + batch])
        embeds = prompt_embeds[[0, *(1 + clip for clip in clips)]]
        own = regions.of(clips) if regions else None
        denoiser = Denoiser(base, net, embeds, scheduler.timesteps, guidance_scale, False, False, own)
        noise = torch.stack([draw_noise(base, seeds[clip]) for clip in clips])[:, None]
        own_stage = stage and stage.of(clips)
        entered, first = enter(own_stage, base.noise_scheduler, scheduler, noise)
        hold = hold_stage(own_stage, base.noise_scheduler, scheduler, noise)
        latents.append(denoiser.denoise(entered, scheduler, first, num_inference_steps, hold)[:, 0].to(base.dtype))
    return torch.cat(latents)
