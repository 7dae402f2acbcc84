"""Single pictures from the (customized) base: the HLR candidates."""

import torch
from diffusers import DPMSolverMultistepScheduler
from PIL import Image

from vd_core.bases.encode import decode, embed_prompts
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.guides import Stage, put_back
from vd_core.generation.regions import Regions
from vd_core.generation.together import batch_of_pictures, draw_noise, generate_together
from vd_core.inputs.pictures import to_pictures


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
    stage: Stage | None = None,
) -> torch.Tensor:
    """Latents `[n, c, h, w]` of one picture a seed; `prompt_embeds` `[n + 1, length, width]` is the empty prompt's, then theirs.

    `regions` and `stage` are of n clips of one frame. While the U-Net learns (a validation), it is called by diffusers, with all that is laid over its weights.
    """
    if regions or not any(p.requires_grad for p in base.unet.parameters()):
        return generate_together(base, prompt_embeds, seeds, num_inference_steps, guidance_scale, regions, stage)
    pipeline = base.pipeline(decodes=False)
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(base.noise_scheduler.config)
    latents, batch = [], batch_of_pictures(base)
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


def show(base: Base, latents: torch.Tensor, stage: Stage | None = None) -> list[Image.Image]:
    """Latents `[n, c, h, w]` as pictures, with what was held of their stage as it was."""
    return to_pictures(put_back(decode(base, latents)[:, None], stage)[:, 0])
