"""How much fits at once: batches by the memory that a device has."""

import torch

from vd_core.bases.stable_diffusion import Base

CPU_BYTES = 2**29
"""What a U-Net call's activations may take on a CPU, where larger batches are hardly faster."""

GPU_SHARE = 0.6
"""Of a GPU's free memory."""

KEPT_MAPS = 24
"""How many maps of the widest level a U-Net call keeps for each sample at its peak, measured on Stable Diffusion 1.5 at 512 pixels."""


def samples_at_once(base: Base) -> int:
    """How many latents a U-Net call can take, at least one."""
    maps = KEPT_MAPS * base.latent_shape[-1] ** 2 * base.unet.config.block_out_channels[0]
    return max(1, free_bytes(base.device) // (maps * base.dtype.itemsize))


def pictures_at_once(base: Base) -> int:
    """How many pictures the autoencoder can decode in one call, at least one: its widest maps are as large as the picture."""
    maps = KEPT_MAPS // 4 * base.resolution**2 * base.vae.config.block_out_channels[0]
    return max(1, free_bytes(base.device) // (maps * torch.float32.itemsize))


def free_bytes(device: torch.device) -> int:
    """What activations may take."""
    return int(GPU_SHARE * torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else CPU_BYTES
