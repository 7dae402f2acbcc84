"""How much fits at once: batches by the memory that a device has, and by what CUDA's kernels can count."""

import ctypes
import sys

import torch

from vd_core.bases.stable_diffusion import Base

CPU_BYTES = 2**29
"""What a U-Net call's activations may take on a CPU, where larger batches are hardly faster."""

GPU_SHARE = 0.6
"""Of a GPU's free memory."""

KEPT_MAPS = 24
"""How many maps of the widest level a U-Net call keeps for each sample at its peak, measured on Stable Diffusion 1.5 at 512 pixels."""

TRAINED_MAPS = 100
"""The same of a sample that is learned from with gradient checkpointing, forward and backward."""

LARGEST_TENSOR = 2**31 - 1
"""Numbers in one tensor: CUDA's kernels count in 32 bits, and upsampling refuses more (diffusers#3643). GPUs of 48 GB and more have memory for it."""

LARGEST_GRID = 2**16 - 1
"""Attentions side by side in one call of a CUDA kernel (pytorch#146704): a motion module has one at every position of a map."""

JOINED_MAPS = 3
"""The widest tensor of a U-Net in maps of its widest level: two blocks' outputs, one of them twice as wide, side by side."""

LARGE_MAP = 2**20
"""Bytes; the embedded base's widest map has 64 kB, Stable Diffusion's at 512 pixels 5 MB."""

M_MMAP_THRESHOLD = -3
"""glibc's number of the setting."""


def samples_at_once(base: Base) -> int:
    """How many latents a U-Net call can take, at least one."""
    return at_once(base, KEPT_MAPS)


def trained_at_once(base: Base) -> int:
    """How many latents can be learned from in one U-Net call, at least one."""
    return at_once(base, TRAINED_MAPS)


def at_once(base: Base, maps: int) -> int:
    """How many samples of so many `maps` each fit, at least one."""
    return max(1, min(free_bytes(base.device) // (maps * map_bytes(base)), LARGEST_TENSOR // (JOINED_MAPS * base.map_size)))


def map_bytes(base: Base) -> int:
    """Bytes of one map of the widest level, for one sample."""
    return base.map_size * base.dtype.itemsize


def clips_at_once(base: Base, frames: int) -> int:
    """How many clips of `frames` a U-Net call can take with and without their prompts, at least one: a single one is computed in parts."""
    positions = base.latent_shape[1] * base.latent_shape[2]
    return max(1, min(samples_at_once(base) // (2 * frames), LARGEST_GRID // (2 * positions)))


def pictures_at_once(base: Base) -> int:
    """How many pictures the autoencoder can decode in one call, at least one: its widest maps are as large as the picture."""
    pixels, channels = base.resolution**2, base.vae.config.block_out_channels
    maps = KEPT_MAPS // 4 * pixels * channels[0]
    return max(1, min(free_bytes(base.device) // (maps * torch.float32.itemsize), LARGEST_TENSOR // (pixels * max(channels[:2]))))


def free_bytes(device: torch.device) -> int:
    """What activations may take: on a GPU of what the driver has, and of what PyTorch holds and does not use (after a training much of it)."""
    if device.type != "cuda":
        return CPU_BYTES
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(GPU_SHARE * (torch.cuda.mem_get_info(device)[0] + unused))


def return_freed_maps(base: Base) -> None:
    """On a CPU, where maps are large: let the C library give each one back to the system as soon as it is freed.

    It would keep them for later ones, and they lie between others that are still needed: a finetuning step of Stable Diffusion 1.5 took 11.4 GB
    in the place of 6.9. Small maps are better kept, since asking for them again takes longer than computing them.
    """
    if base.device.type == "cpu" and sys.platform == "linux" and map_bytes(base) > LARGE_MAP:
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's alone
        if mallopt:
            mallopt(M_MMAP_THRESHOLD, LARGE_MAP)
