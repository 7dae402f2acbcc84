"""Single pictures from the (customized) base: the HLR candidates."""

import torch
from diffusers import DPMSolverMultistepScheduler
from PIL import Image

from vd_core.bases.stable_diffusion import Base


@torch.no_grad()
def generate_pictures(
    base: Base, prompts: list[str], seeds: list[int], num_inference_steps: int, guidance_scale: float, batch: int = 8
) -> list[Image.Image]:
    """One picture a prompt and seed, of the base's resolution; a seed gives the same picture whatever stands beside it."""
    pipeline = base.pipeline()
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(base.noise_scheduler.config)
    pictures = []
    for i in range(0, len(prompts), batch):
        latents = torch.stack([draw_noise(base, seed) for seed in seeds[i : i + batch]])
        output = pipeline(prompts[i : i + batch], latents=latents, num_inference_steps=num_inference_steps, guidance_scale=guidance_scale)
        pictures += output.images
    return pictures


def draw_noise(base: Base, seed: int) -> torch.Tensor:
    """The first latents of a picture, `[c, h, w]`, drawn on the CPU so that a seed means the same on every device."""
    side = base.unet.config.sample_size
    noise = torch.randn(base.unet.config.in_channels, side, side, generator=torch.Generator().manual_seed(seed))
    return noise.to(base.device, base.unet.dtype)
