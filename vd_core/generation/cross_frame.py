"""Cross-frame attention: in self-attention, every frame looks at frame 1 (Text2Video-Zero, Eq. 8 there)."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention, AttnProcessor2_0

from vd_core.bases.attention import attention_processors


class CrossFrameAttnProcessor:
    """Self-attention whose keys and values are frame 1's. K and V are computed for frame 1 alone."""

    def __init__(self, num_frames: int):
        self.num_frames = num_frames

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """`hidden_states` is `[(b f), n, d]`, the frames of each of the b clips in a row; the same shape comes back."""
        assert attn.to_k is not None and attn.to_v is not None and attn.to_out is not None
        first = hidden_states[:: self.num_frames]  # [b, n, d]
        query, key, value = attn.to_q(hidden_states), attn.to_k(first), attn.to_v(first)
        key, value = (t.repeat_interleave(self.num_frames, 0) for t in (key, value))
        query, key, value = (t.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for t in (query, key, value))
        attended = F.scaled_dot_product_attention(query, key, value, scale=attn.scale)
        attended = attended.transpose(1, 2).flatten(2)
        return attn.to_out[1](attn.to_out[0](attended))


@contextmanager
def cross_frame_attention(unet: UNet2DConditionModel, num_frames: int) -> Iterator[None]:
    """Within the block every self-attention (`attn1`) of `unet` looks at frame 1; text attention stays as it is."""
    processors = {name: CrossFrameAttnProcessor(num_frames) if "attn1" in name else AttnProcessor2_0() for name in unet.attn_processors}
    with attention_processors(unet, processors):
        yield
