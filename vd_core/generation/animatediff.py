"""AnimateDiff (Guo et al. 2023): motion modules between the image modules, through diffusers' own pipeline."""

import torch
from diffusers import AnimateDiffPipeline, DDIMScheduler, MotionAdapter

from vd_core.bases.encode import decode
from vd_core.bases.motion_unet import build_motion_unet
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.pictures import draw_noise
from vd_core.seeds import seed_for


def build_animatediff(base: Base, motion_adapter: MotionAdapter) -> AnimateDiffPipeline:
    """The pipeline over the base's own parts, nothing copied; the LoRA is laid over it afterwards (`load_lora_weights`)."""
    scheduler = DDIMScheduler.from_config(base.video_noise_scheduler.config, clip_sample=False, timestep_spacing="linspace")
    unet = build_motion_unet(base.unet, motion_adapter)
    pipeline = AnimateDiffPipeline(base.vae, base.text_encoder, base.tokenizer, unet, motion_adapter, scheduler)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@torch.no_grad()
def generate_animatediff(
    base: Base,
    pipeline: AnimateDiffPipeline,
    prompt_embeds: torch.Tensor,
    seed: int,
    num_frames: int,
    num_inference_steps: int,
    guidance_scale: float,
) -> torch.Tensor:
    """A clip `[f, 3, h, w]` in [-1, 1]; `prompt_embeds` `[2, length, width]` is the empty prompt's, then the clip's."""
    noise = torch.stack([draw_noise(base, seed_for("frame", seed, frame)) for frame in range(num_frames)], dim=1)  # [c, f, h, w]
    output = pipeline(
        prompt_embeds=prompt_embeds[1:],
        negative_prompt_embeds=prompt_embeds[:1],
        num_frames=num_frames,
        latents=noise[None].to(base.dtype),
        height=base.resolution,
        width=base.resolution,
        num_inference_steps=num_inference_steps,
        guidance_scale=guidance_scale,
        output_type="latent",
    )
    return decode(base, output.frames[0].transpose(0, 1)).clamp(-1, 1)
