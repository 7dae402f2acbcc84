"""Attention processors put on a U-Net and taken off again."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch
from diffusers import UNet2DConditionModel, UNetMotionModel
from diffusers.models.attention_processor import AttentionProcessor, AttnProcessor

from vd_core.bases.region_attention import RegionAttention

UNet = UNet2DConditionModel | UNetMotionModel
PLAIN_ATTENTION_POSITIONS = 256  # `make bench` measures it there; with more, the matrix of all pairs costs more than it saves


@contextmanager
def attention_processors(unet: UNet, processors: AttentionProcessor | dict[str, AttentionProcessor]) -> Iterator[None]:
    """Let `unet` attend by `processors` within the block, and as before after it."""
    before = unet.attn_processors
    unet.set_attn_processor(processors)
    try:
        yield
    finally:
        unet.set_attn_processor(before)


def uses_plain_attention(unet: UNet, device: torch.device) -> bool:
    """Whether softmax(QK^T)V in three operations is faster forward and backward than the fused kernel: on a CPU, over few positions."""
    return device.type == "cpu" and unet.config.sample_size**2 <= PLAIN_ATTENTION_POSITIONS


@contextmanager
def training_attention(unet: UNet, device: torch.device, regions: bool = False) -> Iterator[None]:
    """The attention that trains fastest, within the block; with `regions` one that takes boxes with texts of their own."""
    plain = uses_plain_attention(unet, device)
    chosen = RegionAttention(plain) if regions else AttnProcessor() if plain else None
    with attention_processors(unet, chosen) if chosen else nullcontext():
        yield
