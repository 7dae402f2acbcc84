"""Text attention with regions, as it trains: each box of a sample has a text of its own (docs/regions.md)."""

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention

from vd_core.bases.box_masks import box_masks


class RegionAttention:
    """The attention processor: (1 - sum of w_r) A(Q, K, V) + sum of w_r A(Q, K_r, V_r), as in sampling.

    `encoder_hidden_states` `[b, (1 + r) length, d]` has the whole picture's text and then those of the `boxes` `[b, r, 4]`, in fractions of a
    square picture; a box without an area counts nothing. Without boxes, and in self-attention, it is plain attention.
    With `plain` in three operations, which trains faster over few positions of a CPU.
    """

    def __init__(self, plain: bool):
        self.plain = plain

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,
        boxes: torch.Tensor | None = None,
    ) -> torch.Tensor:
        query = split(attn, attn.to_q(hidden_states))
        if encoder_hidden_states is None or boxes is None:
            attended = self.look(attn, query, hidden_states if encoder_hidden_states is None else encoder_hidden_states)
        else:
            whole, *own = encoder_hidden_states.chunk(1 + boxes.shape[1], 1)
            attended = others = self.look(attn, query, whole)
            for mask, text in zip(position_masks(boxes, hidden_states.shape[1]).unbind(1), own, strict=True):
                attended = attended + mask[..., None].to(others.dtype) * (self.look(attn, query, text) - others)
        assert attn.to_out is not None
        for layer in attn.to_out:
            attended = layer(attended)
        return attended

    def look(self, attn: Attention, query: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Queries `[b, heads, n, d]` on `x` `[b, m, c]`: `[b, n, heads d]`."""
        assert attn.to_k is not None and attn.to_v is not None
        key, value = split(attn, attn.to_k(x)), split(attn, attn.to_v(x))
        if self.plain:
            attended = (attn.scale * query @ key.transpose(2, 3)).softmax(3) @ value
        else:
            attended = F.scaled_dot_product_attention(query, key, value, scale=attn.scale)
        return attended.transpose(1, 2).flatten(2)


def split(attn: Attention, x: torch.Tensor) -> torch.Tensor:
    """`[b, n, c]` as `[b, heads, n, d]`."""
    return x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)


def position_masks(boxes: torch.Tensor, positions: int) -> torch.Tensor:
    """How much each of the boxes `[b, r, 4]` counts at each of the positions of a square map, `[b, r, positions]`, at most 1 in sum."""
    side = round(positions**0.5)
    masks = box_masks(boxes, torch.Size((side, side))) * has_area(boxes)[..., None]
    return masks / masks.sum(1, keepdim=True).clamp(min=1)


def has_area(boxes: torch.Tensor) -> torch.Tensor:
    """Which of the boxes `[..., 4]` are none at all, as 0."""
    return ((boxes[..., 2] > boxes[..., 0]) & (boxes[..., 3] > boxes[..., 1])).float()
