"""Text2Video-Zero (Khachatryan et al. 2023) on any Stable Diffusion: frame 1, warped copies, noise again, cross-frame attention."""

import torch
import torch.nn.functional as F
from diffusers import DPMSolverMultistepScheduler

from vd_core.bases import Base
from vd_core.data import tokenize
from vd_core.generation.cross_frame import set_cross_frame_attention
from vd_core.generation.images import draw_noise

REFERENCE_WIDTH = 512  # motion field strengths are in pixels of a picture of this width, as the paper's are


@torch.no_grad()
def generate_text2video_zero(
    base: Base,
    prompt: str,
    seed: int,
    num_frames: int,
    num_inference_steps: int,
    guidance_scale: float,
    motion_field_strength: tuple[float, float],
    t_forward: int,
    t_warp: int,
) -> torch.Tensor:
    """A clip `[f, 3, h, w]` in [-1, 1].

    `t_forward` (T) and `t_warp` (T') count sampling steps from the end, T > T': frame 1 is denoised to T', warped copies get noise up to T,
    and all frames are denoised together from there. `motion_field_strength` is the shift a frame, right and down, in 512-pixel units.
    """
    if not num_inference_steps > t_forward > t_warp:
        raise ValueError(f"need num_inference_steps > t_forward > t_warp, not {num_inference_steps}, {t_forward}, {t_warp}")
    set_cross_frame_attention(base.unet, num_frames=1)
    generator = torch.Generator().manual_seed(seed)
    prompt_embeds = base.text_encoder(tokenize(base, ["", prompt])).last_hidden_state
    start, warp = num_inference_steps - t_forward - 1, num_inference_steps - t_warp - 1

    at_forward = denoise(base, draw_noise(base, seed)[None], prompt_embeds, num_inference_steps, guidance_scale, 0, start)
    at_warp = denoise(base, at_forward, prompt_embeds, num_inference_steps, guidance_scale, start, warp)
    frame_ids = torch.arange(1, num_frames)
    warped = warp_latents(at_warp.expand(num_frames - 1, -1, -1, -1), frame_ids, motion_field_strength)
    timesteps = make_scheduler(base, num_inference_steps).timesteps
    noised = add_noise_between(base, warped, int(timesteps[warp]), int(timesteps[start]), generator)

    set_cross_frame_attention(base.unet, num_frames)
    frames = torch.cat([at_forward, noised])
    latents = denoise(base, frames, prompt_embeds, num_inference_steps, guidance_scale, start, num_inference_steps)
    return base.vae.decode(latents / base.vae.config.scaling_factor).sample.clamp(-1, 1)


def make_scheduler(base: Base, num_inference_steps: int) -> DPMSolverMultistepScheduler:
    """A fresh DPM-Solver over the base's noise schedule: no solver output of one part of the sampling leaks into the next."""
    noise_scheduler = DPMSolverMultistepScheduler.from_config(base.noise_scheduler.config)
    noise_scheduler.set_timesteps(num_inference_steps)
    return noise_scheduler


def denoise(
    base: Base, latents: torch.Tensor, prompt_embeds: torch.Tensor, num_inference_steps: int, guidance_scale: float, first: int, last: int
) -> torch.Tensor:
    """Sampling steps `first` to `last` (not included) on latents `[f, c, h, w]`, guided; `prompt_embeds` is `[2, n, d]`, empty first."""
    noise_scheduler = make_scheduler(base, num_inference_steps)
    noise_scheduler.set_begin_index(first)
    encoder_hidden_states = prompt_embeds.repeat_interleave(len(latents), 0)  # [(2 f), n, d]
    for timestep in noise_scheduler.timesteps[first:last]:
        model_pred = base.unet(torch.cat([latents, latents]), timestep, encoder_hidden_states).sample
        empty, conditional = model_pred.chunk(2)
        guided = empty + guidance_scale * (conditional - empty)
        latents = noise_scheduler.step(guided, timestep, latents).prev_sample
    return latents


def warp_latents(latents: torch.Tensor, frame_ids: torch.Tensor, strength: tuple[float, float]) -> torch.Tensor:
    """Shift each frame of latents `[f, c, h, w]` by its number times `strength` (512-pixel units); what leaves is reflected back in.

    Nearest neighbours: to interpolate noisy latents would change their noise. Zero strength, or frame 0, is the identity.
    """
    height, width = latents.shape[-2:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    shift = frame_ids[:, None].float() * torch.tensor(strength) / REFERENCE_WIDTH  # [f, 2] in picture widths
    x = (columns - shift[:, 0, None, None] * width + 0.5) * 2 / width - 1
    y = (rows - shift[:, 1, None, None] * height + 0.5) * 2 / height - 1
    grid = torch.stack([x, y], dim=-1).to(latents)  # [f, h, w, 2]
    return F.grid_sample(latents, grid, mode="nearest", padding_mode="reflection", align_corners=False)


def add_noise_between(base: Base, latents: torch.Tensor, t_from: int, t_to: int, generator: torch.Generator) -> torch.Tensor:
    """The forward process from timestep `t_from` up to the noisier `t_to`: sqrt(a) z + sqrt(1 - a) eps, a = abar_to / abar_from."""
    alphas_cumprod = base.noise_scheduler.alphas_cumprod
    ratio = (alphas_cumprod[t_to] / alphas_cumprod[t_from]).to(latents)
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    return ratio.sqrt() * latents + (1 - ratio).sqrt() * noise
