"""Single pictures from the (customized) base: the HLR candidates."""

import torch
from diffusers import DPMSolverMultistepScheduler
from PIL import Image

from vd_core.bases.encode import decode, embed_prompts
from vd_core.bases.memory import samples_at_once
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.denoise import Denoiser
from vd_core.generation.regions import Regions
from vd_core.generation.unet import unroll
from vd_core.inputs.pictures import to_pictures

LARGEST_BATCH = 8


def generate_pictures(
    base: Base, prompts: list[str], seeds: list[int], num_inference_steps: int, guidance_scale: float
) -> list[Image.Image]:
    """One picture a prompt and seed, of the base's resolution; a seed gives the same picture whatever stands beside it."""
    latents = generate_latents(base, embed_prompts(base, prompts), seeds, num_inference_steps, guidance_scale)
    return show(base, latents)


@torch.no_grad()
def generate_latents(
    base: Base,
    prompt_embeds: torch.Tensor,
    seeds: list[int],
    num_inference_steps: int,
    guidance_scale: float,
    regions: Regions | None = None,
) -> torch.Tensor:
    """Latents `[n, c, h, w]` of one picture a seed; `prompt_embeds` `[n + 1, length, width]` is the empty prompt's, then theirs.

    `regions` are of n clips of one frame.
    """
    pipeline = base.pipeline(decodes=False)
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(base.noise_scheduler.config)
    batch = min(LARGEST_BATCH, max(1, samples_at_once(base) // 2))  # with and without the prompt
    if regions:
        return generate_with_regions(base, prompt_embeds, seeds, num_inference_steps, guidance_scale, regions, batch)
    latents = []
    for i in range(0, len(seeds), batch):
        noise = torch.stack([draw_noise(base, seed) for seed in seeds[i : i + batch]])
        prompted = prompt_embeds[1 + i : 1 + i + batch]
        output = pipeline(
            prompt_embeds=prompted,
            negative_prompt_embeds=prompt_embeds[:1].expand_as(prompted),
            latents=noise.to(base.dtype),
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            output_type="latent",
        )
        latents.append(output.images)
    return torch.cat(latents)


def generate_with_regions(
    base: Base,
    prompt_embeds: torch.Tensor,
    seeds: list[int],
    num_inference_steps: int,
    guidance_scale: float,
    regions: Regions,
    batch: int,
) -> torch.Tensor:
    """The same by our own U-Net call, `batch` pictures at once, each a clip of one frame."""
    net, latents = unroll(base.unet), []
    for i in range(0, len(seeds), batch):
        scheduler = DPMSolverMultistepScheduler.from_config(base.noise_scheduler.config)
        scheduler.set_timesteps(num_inference_steps)
        clips = list(range(len(seeds))[i : i + batch])
        embeds = prompt_embeds[[0, *(1 + clip for clip in clips)]]
        denoiser = Denoiser(base, net, embeds, scheduler.timesteps, guidance_scale, False, False, regions.of(clips))
        noise = torch.stack([draw_noise(base, seeds[clip]) for clip in clips])[:, None]
        latents.append(denoiser.denoise(noise, scheduler, 0, num_inference_steps)[:, 0].to(base.dtype))
    return torch.cat(latents)


def show(base: Base, latents: torch.Tensor) -> list[Image.Image]:
    """Latents `[n, c, h, w]` as pictures."""
    return to_pictures(decode(base, latents))


def draw_noise(base: Base, seed: int) -> torch.Tensor:
    """The first latents of a picture, `[c, h, w]`, drawn on the CPU so that a seed means the same on every device."""
    return torch.randn(base.latent_shape, generator=torch.Generator().manual_seed(seed)).to(base.device)
