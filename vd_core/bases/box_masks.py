"""Boxes as maps that say how much each counts at each position."""

import torch

FEATHER = 0.125
"""Over how much of the picture's width a region fades into its surroundings, half of it on each side of the box."""


def box_masks(boxes: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """Boxes `[..., 4]` as maps `[..., h w]`: 1 inside, 0 outside, a ramp of FEATHER between; a border of the picture is no edge."""
    height, width = size
    across = ramp(boxes[..., 0], boxes[..., 2], width)
    down = ramp(boxes[..., 1], boxes[..., 3], height)
    return (down[..., :, None] * across[..., None, :]).flatten(-2)


def ramp(start: torch.Tensor, end: torch.Tensor, count: int) -> torch.Tensor:
    """How far each of `count` pixels' centers lies within `start` to `end` `[...]`: `[..., count]`, 0 to 1."""
    centers = (torch.arange(count, device=start.device) + 0.5) / count
    start = torch.where(start <= 0, -torch.ones_like(start), start)
    end = torch.where(end >= 1, torch.full_like(end, 2.0), end)
    inside = torch.minimum(centers - start[..., None], end[..., None] - centers)
    return (inside / FEATHER + 0.5).clamp(0, 1)
