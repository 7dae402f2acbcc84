"""The embedded base's `AutoencoderKL`: 64 x 64 pictures to 16 x 16 latents of 8 channels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL

from vd_core.toybox.pretraining.trainer import ema_weights, fit
from vd_core.toybox.world.draw import SIZE, draw_scene
from vd_core.toybox.world.scenes import sample_scene

BATCH = 16
SEED = 100_000_000  # the first picture's seed; each training draws from a range of its own


@dataclass(frozen=True)
class Weights:
    """What a training of the autoencoder weighs beside L2 on the pixels, and the range of its seeds."""

    offset: int
    l1: float
    kl: float
    hold: float = 0.0  # of its means to those that it started from


FIRST = Weights(0, l1=1.0, kl=1e-6)
SECOND = Weights(25_000_000, l1=1.0, kl=1e-7, hold=0.1)
THIRD = Weights(30_000_000, l1=0.1, kl=1e-7, hold=0.01)


def build_vae() -> AutoencoderKL:
    """The untrained autoencoder; thin at full size, where convolutions are dearest."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 64, 128),
        layers_per_block=1,
        latent_channels=8,
        norm_num_groups=8,
        sample_size=SIZE,
        mid_block_add_attention=False,
    )


def to_tensor(pictures: np.ndarray) -> torch.Tensor:
    """uint8 `[b, h, w, 3]` to float32 `[b, 3, h, w]` in [-1, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def draw_batch(seed: int, count: int) -> torch.Tensor:
    """`count` pictures from consecutive seeds, `[count, 3, SIZE, SIZE]` in [-1, 1]."""
    return to_tensor(np.stack([draw_scene(sample_scene(seed + i))[0] for i in range(count)]))


def train_vae(folder: Path, steps: int, weights: Weights = FIRST, start: AutoencoderKL | None = None, batch: int = BATCH) -> Path:
    """L2 and L1 on the pixels and a light KL on the latents; half a second a step of 16 pictures on one core.

    On from `start`, the means are also held near those of `start`, so that what was trained on its latents stays of use, and the KL is
    lighter: details then find room below the noise that the first training's latents bore.
    """
    vae = build_vae().to(memory_format=torch.channels_last)
    if start is not None:
        vae.load_state_dict(start.state_dict())

    def loss_fn(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        pixel_values = draw_batch(SEED + weights.offset + step * batch, batch).to(memory_format=torch.channels_last)
        posterior = vae.encode(pixel_values).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator)
        decoded = vae.decode(posterior.mean + posterior.std * noise).sample.float()
        mse = F.mse_loss(decoded, pixel_values)
        loss = mse + weights.l1 * F.l1_loss(decoded, pixel_values) + weights.kl * posterior.kl().mean()
        losses = {"loss": loss, "mse": mse}
        if start is not None:
            with torch.no_grad():
                anchor = start.encode(pixel_values).latent_dist.mean
            losses["drift"] = F.mse_loss(posterior.mean.float(), anchor.float())
            losses["loss"] = loss + weights.hold * losses["drift"]
        return losses

    return fit("autoencoder", vae, loss_fn, folder, steps, peak_lr=1e-3, ema_decay=0.998)


@torch.no_grad()
def load_trained_vae(state: Path) -> AutoencoderKL:
    """The averaged autoencoder with `scaling_factor` set so that its latents have unit variance."""
    vae = build_vae()
    vae.load_state_dict(ema_weights(state))
    vae = vae.eval().requires_grad_(False)
    latents = vae.encode(draw_batch(SEED - 512, 256)).latent_dist.mean
    vae.register_to_config(scaling_factor=round(1 / float(latents.std()), 4))
    return vae
