"""Noise on latents and what a base should say of it: the forward process, once for every training."""

from dataclasses import dataclass

import torch
from diffusers import DDPMScheduler


@dataclass(frozen=True)
class Noised:
    """Noisy latents `[b, ...]`, their timesteps `[b]`, and the `target` `[b, ...]` that the base is to predict."""

    latents: torch.Tensor
    timesteps: torch.Tensor
    target: torch.Tensor


def add_noise(noise_scheduler: DDPMScheduler, latents: torch.Tensor, generator: torch.Generator, least: float = 0.0) -> Noised:
    """Noise every one of `latents` `[b, ...]` at a timestep of its own, drawn evenly from all but the first `least` of them; `generator` is on the CPU."""
    noise, count = torch.randn(latents.shape, generator=generator).to(latents), noise_scheduler.config.num_train_timesteps
    timesteps = torch.randint(int(least * count), count, (len(latents),), generator=generator).to(latents.device)
    return add_noise_at(noise_scheduler, latents, noise, timesteps)


def add_noise_at(noise_scheduler: DDPMScheduler, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> Noised:
    """`latents` `[b, ...]` with `noise` `[b, ...]` at given timesteps `[b]`."""
    noisy_latents = noise_scheduler.add_noise(latents, noise, timesteps)
    return Noised(noisy_latents, timesteps, denoising_target(noise_scheduler, latents, noise, timesteps))


def denoising_target(noise_scheduler: DDPMScheduler, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
    """What the base predicts: the noise, or the velocity; ValueError for anything else."""
    match noise_scheduler.config.prediction_type:
        case "epsilon":
            return noise
        case "v_prediction":
            return noise_scheduler.get_velocity(latents, noise, timesteps)
    raise ValueError(f"prediction_type {noise_scheduler.config.prediction_type} is not supported; use an epsilon or v_prediction base")
