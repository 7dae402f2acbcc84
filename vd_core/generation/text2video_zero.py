"""Text2Video-Zero (Khachatryan et al. 2023) on any Stable Diffusion: frame 1, warped copies, noise again, cross-frame attention."""

import torch
from diffusers import DPMSolverMultistepScheduler

from vd_core.bases.encode import decode
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.cross_frame import cross_frame_attention
from vd_core.generation.pictures import draw_noise
from vd_core.seeds import generator_for

REFERENCE_WIDTH = 512  # motion field strengths are in pixels of a picture of this width, as the paper's are


@torch.no_grad()
def generate_text2video_zero(
    base: Base,
    prompt_embeds: torch.Tensor,
    seed: int,
    num_frames: int,
    num_inference_steps: int,
    guidance_scale: float,
    motion_field_strength: tuple[float, float],
    t_forward: int,
    t_warp: int,
) -> torch.Tensor:
    """A clip `[f, 3, h, w]` in [-1, 1]; `prompt_embeds` `[2, length, width]` is the empty prompt's, then the clip's.

    `t_forward` (T) and `t_warp` (T') count sampling steps from the end, T > T': frame 1 is denoised to T', warped copies get noise up to T,
    and all frames are denoised together from there. `motion_field_strength` is how far the content moves a frame, left and up, in 512-pixel units.
    """
    if not num_inference_steps > t_forward > t_warp:
        raise ValueError(f"need num_inference_steps > t_forward > t_warp, not {num_inference_steps}, {t_forward}, {t_warp}")
    start, warp = num_inference_steps - t_forward - 1, num_inference_steps - t_warp - 1

    with cross_frame_attention(base.unet, num_frames=1):
        at_forward = denoise(base, draw_noise(base, seed)[None], prompt_embeds, num_inference_steps, guidance_scale, 0, start)
        at_warp = denoise(base, at_forward, prompt_embeds, num_inference_steps, guidance_scale, start, warp)
    frame_ids = torch.arange(1, num_frames)
    warped = warp_latents(at_warp.expand(num_frames - 1, -1, -1, -1), frame_ids, motion_field_strength)
    timesteps = make_scheduler(base, num_inference_steps).timesteps
    noised = add_noise_between(base, warped, int(timesteps[warp]), int(timesteps[start]), generator_for("renoise", seed))

    with cross_frame_attention(base.unet, num_frames):
        frames = torch.cat([at_forward, noised])
        latents = denoise(base, frames, prompt_embeds, num_inference_steps, guidance_scale, start, num_inference_steps)
    return decode(base, latents).clamp(-1, 1)


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
        model_pred = base.unet(torch.cat([latents, latents]).to(base.dtype), timestep, encoder_hidden_states).sample.float()
        empty, conditional = model_pred.chunk(2)
        guided = empty + guidance_scale * (conditional - empty)
        latents = noise_scheduler.step(guided, timestep, latents).prev_sample
    return latents


def warp_latents(latents: torch.Tensor, frame_ids: torch.Tensor, strength: tuple[float, float]) -> torch.Tensor:
    """Move the content of each frame of latents `[f, c, h, w]` left and up by its number times `strength` (512-pixel units), as diffusers does.

    By whole latents: to interpolate noisy latents would change their noise, and to round each one on its own would repeat some where the shift
    is a half. What leaves is reflected back in. Zero strength, or frame 0, is the identity.
    """
    channels, height, width = latents.shape[1:]
    shift = frame_ids[:, None].float() * torch.tensor(strength)  # [f, 2] in 512-pixel units
    columns = reflect(torch.arange(width) + to_latents(shift[:, :1], width), width).to(latents.device)  # [f, w]
    rows = reflect(torch.arange(height) + to_latents(shift[:, 1:], height), height).to(latents.device)  # [f, h]
    moved = latents.gather(3, columns[:, None, None, :].expand(-1, channels, height, -1))
    return moved.gather(2, rows[:, None, :, None].expand(-1, channels, -1, width))


def to_latents(shift: torch.Tensor, size: int) -> torch.Tensor:
    """A shift in 512-pixel units as whole latents of `size`. Half a pixel less, since diffusers' grid has its pixels' corners for their centers."""
    return ((shift - 0.5) * size / REFERENCE_WIDTH).round().long()


def reflect(index: torch.Tensor, size: int) -> torch.Tensor:
    """Any index as one of 0 to `size` - 1, mirrored at the borders: -1 is 0, `size` is `size` - 1."""
    folded = index % (2 * size)
    return torch.minimum(folded, 2 * size - 1 - folded)


def add_noise_between(base: Base, latents: torch.Tensor, t_from: int, t_to: int, generator: torch.Generator) -> torch.Tensor:
    """The forward process from timestep `t_from` up to the noisier `t_to`: sqrt(a) z + sqrt(1 - a) eps, a = abar_to / abar_from."""
    alphas_cumprod = base.noise_scheduler.alphas_cumprod
    ratio = (alphas_cumprod[t_to] / alphas_cumprod[t_from]).to(latents)
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    return ratio.sqrt() * latents + (1 - ratio).sqrt() * noise
