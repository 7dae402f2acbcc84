"""The attention of a Stable Diffusion U-Net in sampling: of clips whose frames stand in a row, on texts, on frames, on regions' own texts."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention
from torch import nn

from vd_core.generation.regions import LARGEST_BOUNDED, Places, allowed_pairs

KeysValues = tuple[torch.Tensor, torch.Tensor]
"""Keys and values of one attention, each `[p, heads, n, d]`."""


@dataclass
class Conditions:
    """What a U-Net call knows besides its latents.

    `times` has each residual block's share of the timestep `[c]`, `texts` each text attention's keys and values of `prompts`: guidance branches
    and clips. `frames` of each stand in a row. With `first_frame`, self-attention looks at the keys and values in it, or puts those of the clips' first frames there (Eq. 8 of
    Text2Video-Zero): later calls with other frames of the same clips find them. `places` has the regions, if there are any.
    """

    times: dict[nn.Module, torch.Tensor]
    texts: dict[nn.Module, KeysValues]
    prompts: int
    frames: int
    first_frame: dict[nn.Module, KeysValues] | None
    places: Places | None = None


def split_heads(attn: Attention, x: torch.Tensor) -> torch.Tensor:
    """`[b, n, c]` as `[b, heads, n, d]`."""
    return x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)


def look(attn: Attention, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Queries `[b, n, c]` on keys and values `[b, heads, m, d]`, where `mask` `[b, n, m]` allows it: `[b, n, c]`."""
    allowed = None if mask is None else mask[:, None]
    attended = F.scaled_dot_product_attention(split_heads(attn, query), key, value, attn_mask=allowed, scale=attn.scale)
    return attended.transpose(1, 2).flatten(2)


def attend(attn: Attention, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """The same, projected."""
    assert attn.to_out is not None
    return attn.to_out[0](look(attn, query, key, value, mask))


def keys_values(attn: Attention, x: torch.Tensor) -> KeysValues:
    """Keys and values of `[b, n, c]`."""
    assert attn.to_k is not None and attn.to_v is not None
    return split_heads(attn, attn.to_k(x)), split_heads(attn, attn.to_v(x))


def self_attention(attn: Attention, x: torch.Tensor, size: torch.Size, conditions: Conditions) -> torch.Tensor:
    """Each frame on itself, or every frame on its clip's first, or on its event's first and the one before it."""
    if conditions.first_frame is None:
        mask = bound_each(conditions.places, len(x), size)
        return attend(attn, attn.to_q(x), *keys_values(attn, x), mask)
    if conditions.places is not None and bool(conditions.places.changing.any()):
        return attend_in_events(attn, x, conditions)
    if attn not in conditions.first_frame:
        conditions.first_frame[attn] = keys_values(attn, x[:: conditions.frames])
    mask = bound_to_first(conditions.places, len(x), size)
    return attend_by_clip(attn, x, conditions.first_frame[attn], conditions.frames, mask)


def text_attention(attn: Attention, x: torch.Tensor, size: torch.Size, conditions: Conditions) -> torch.Tensor:
    """Each frame on its clip's prompt, and each region on its own."""
    if conditions.places is None or not conditions.places.prompted:
        return attend_by_clip(attn, x, conditions.texts[attn], conditions.frames)
    assert attn.to_out is not None
    query = by_clip(attn.to_q(x), conditions.frames)
    attended = look(attn, query, *conditions.texts[attn])
    add_regions(attn, query, attended, size, conditions.places)
    return attn.to_out[0](by_frame(attended, conditions.frames))


def add_regions(attn: Attention, query: torch.Tensor, attended: torch.Tensor, size: torch.Size, places: Places) -> None:
    """Let the prompts' rows of `attended` `[p, f h w, c]`, the last of the branches, be what the regions' own texts say there, in place.

    (1 - sum of w_r) A(Q, K, V) + sum of w_r A(Q, K_r, V_r), with w_r what `masks` says (Mix-of-Show's, Gu et al. 2023, with soft edges).
    """
    masks = places.masks(size)
    clips, regions = masks.shape[:2]
    own, query = attended[-clips:], query[-clips:]
    key, value = (t.unflatten(0, (clips, regions)) for t in places.texts[attn])
    others = own.clone()
    for r in range(regions):
        own += masks[:, r].flatten(1)[..., None].to(own) * (look(attn, query, key[:, r], value[:, r]) - others)


def attend_by_clip(attn: Attention, x: torch.Tensor, on: KeysValues, frames: int, mask: torch.Tensor | None = None) -> torch.Tensor:
    """All frames of a clip on the same keys and values, in one row of queries: `x` is `[(b f), n, c]`, `on` is `[b, heads, m, d]`."""
    return by_frame(attend(attn, by_clip(attn.to_q(x), frames), *on, mask), frames)


def by_clip(x: torch.Tensor, frames: int) -> torch.Tensor:
    """`[(b f), n, c]` as `[b, f n, c]`."""
    return x.unflatten(0, (-1, frames)).flatten(1, 2)


def by_frame(x: torch.Tensor, frames: int) -> torch.Tensor:
    """`[b, f n, c]` as `[(b f), n, c]`."""
    return x.unflatten(1, (frames, -1)).flatten(0, 1)


def bound_each(places: Places | None, samples: int, size: torch.Size) -> torch.Tensor | None:
    """Which positions of each frame may look at which of the same frame, `[samples, h w, h w]`; None: all at all."""
    if places is None or not is_bounded(places, size):
        return None
    boxes = places.boxes.transpose(0, 1)  # [r, n, f, 4]
    pairs = allowed_pairs(boxes, boxes, size) | ~places.bounded[:, None, None, None]
    return pairs.flatten(0, 1).repeat(samples // pairs.shape[:2].numel(), 1, 1)


def bound_to_first(places: Places | None, samples: int, size: torch.Size) -> torch.Tensor | None:
    """Which positions of a clip's frames, in a row, may look at which of its first frame, `[clips, f h w, h w]`; None: all at all."""
    if places is None or not is_bounded(places, size):
        return None
    boxes = places.boxes.transpose(0, 1)
    pairs = allowed_pairs(boxes, places.first_boxes.transpose(0, 1)[:, :, None], size) | ~places.bounded[:, None, None, None]
    return pairs.flatten(1, 2).repeat(samples // pairs.shape[:2].numel(), 1, 1)


def is_bounded(places: Places, size: torch.Size) -> bool:
    """Whether self-attention over maps of this size is bounded in any clip."""
    return bool(places.bounded.any()) and size.numel() <= LARGEST_BOUNDED


def attend_in_events(attn: Attention, x: torch.Tensor, conditions: Conditions) -> torch.Tensor:
    """Each frame on its event's first and the one before it. Of an earlier call's frames the last one's two are kept, no more.

    A clip without events looks at its first frame twice, which is to look once.
    """
    places, frames = conditions.places, conditions.frames
    assert places is not None and conditions.first_frame is not None
    new = [t.unflatten(0, (-1, frames)) for t in keys_values(attn, x)]  # [b, f, heads, m, d]
    kept = conditions.first_frame.get(attn) or tuple(t[:, [0, 0]] for t in new)
    known = [torch.cat([old, own], 1) for old, own in zip(kept, new, strict=True)]
    seen = places.seen().repeat(len(known[0]) // len(places.starts), 1, 1)  # [b, f, 2]
    last = torch.stack([seen[:, -1, 0], torch.full_like(seen[:, -1, 0], frames + 1)], 1)
    conditions.first_frame[attn] = (take(known[0], last), take(known[1], last))
    on = [take(t, seen).movedim(2, 3).flatten(3, 4).flatten(0, 1) for t in known]  # [(b f), heads, 2 m, d]
    return attend(attn, attn.to_q(x), on[0], on[1])


def take(x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """The frames `index` `[b, ...]` of `x` `[b, k, heads, m, d]`: `[b, ..., heads, m, d]`."""
    rows = torch.arange(len(x), device=x.device)
    return x[rows.view(-1, *[1] * (index.dim() - 1)), index]
