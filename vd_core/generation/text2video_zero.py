"""Text2Video-Zero (Khachatryan et al. 2023) on any Stable Diffusion: frame 1, warped copies, noise again, cross-frame attention."""

from collections.abc import Callable

import torch
from diffusers import DPMSolverMultistepScheduler

from vd_core.bases.encode import aside, decode
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.denoise import Denoiser
from vd_core.generation.pictures import draw_noise
from vd_core.generation.unet import Unrolled
from vd_core.seeds import generator_for

REFERENCE_WIDTH = 512  # motion field strengths are in pixels of a picture of this width, as the paper's are


def make_scheduler(base: Base, num_inference_steps: int) -> DPMSolverMultistepScheduler:
    """A fresh DPM-Solver++ of second order over the base's noise schedule: no solver output of one part of the sampling leaks into the next."""
    noise_scheduler = DPMSolverMultistepScheduler.from_config(base.noise_scheduler.config)
    noise_scheduler.set_timesteps(num_inference_steps)
    return noise_scheduler


@torch.no_grad()
def generate_text2video_zero(
    base: Base,
    net: Unrolled,
    prompt_embeds: torch.Tensor,
    seeds: list[int],
    num_frames: int,
    num_inference_steps: int,
    guidance_scale: float,
    motion_field_strength: tuple[float, float],
    t_forward: int,
    t_warp: int,
    fast: bool,
    scheduler_of: Callable[[Base, int], DPMSolverMultistepScheduler] = make_scheduler,
) -> torch.Tensor:
    """Clips `[n, f, 3, h, w]` in [-1, 1], one a seed; `prompt_embeds` `[n + 1, length, width]` is the empty prompt's, then theirs.

    `t_forward` (T) and `t_warp` (T') count sampling steps from the end, T > T': frame 1 is denoised to T', warped copies get noise up to T,
    and all frames are denoised together from there. `motion_field_strength` is how far the content moves a frame, left and up, in 512-pixel units.
    The clips of one call are computed at once; a seed's clip is the same alone and in company but for rounding.
    """
    if not num_inference_steps > t_forward > t_warp:
        raise ValueError(f"need num_inference_steps > t_forward > t_warp, not {num_inference_steps}, {t_forward}, {t_warp}")
    start, warp = num_inference_steps - t_forward - 1, num_inference_steps - t_warp - 1
    timesteps = scheduler_of(base, num_inference_steps).timesteps
    denoiser = Denoiser(base, net, prompt_embeds, timesteps, guidance_scale, cross_frame=True, fast=fast)

    def denoise(latents: torch.Tensor, first: int, last: int) -> torch.Tensor:
        scheduler = scheduler_of(base, num_inference_steps)
        scheduler.set_begin_index(first)
        return denoiser.denoise(latents, scheduler, first, last)

    at_forward = denoise(torch.stack([draw_noise(base, seed) for seed in seeds])[:, None], 0, start)  # [b, 1, c, h, w]
    at_warp = denoise(at_forward, start, warp)
    frame_ids = torch.arange(1, num_frames)
    noised = []
    for latents, seed in zip(at_warp, seeds, strict=True):
        warped = warp_latents(latents.expand(num_frames - 1, -1, -1, -1), frame_ids, motion_field_strength)
        noised.append(add_noise_between(base, warped, int(timesteps[warp]), int(timesteps[start]), generator_for("renoise", seed)))
    latents = denoise(torch.cat([at_forward, torch.stack(noised)], 1), start, num_inference_steps)
    with aside(base, net.unet):
        return decode(base, latents.flatten(0, 1)).clamp(-1, 1).unflatten(0, (len(seeds), num_frames))


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
