"""Text2Video-Zero's motion, for each box its own: how the latents of the first frame are carried into the later ones."""

from dataclasses import dataclass

import numpy as np
import torch

from vd_core.inputs.clip_motion import ClipMotion, Thing, about_center
from vd_core.inputs.ways import leave_room

WIDTH = 512
"""Shifts of the background are in pixels of a picture of this width, left and up, as motion field strengths are."""


@dataclass(frozen=True)
class Moves:
    """Where each of r boxes `[r, 4]` of the first frame is brought, `matrices` `[r, f, 2, 3]` in fractions, and how far what lies behind moves, `shifts` `[f, 2]`."""

    boxes: torch.Tensor
    matrices: torch.Tensor
    shifts: torch.Tensor

    @property
    def carry(self) -> bool:
        """Whether any box leaves its place."""
        return not torch.equal(self.matrices, torch.eye(2, 3).expand_as(self.matrices).to(self.matrices))


def moves_of_boxes(boxes: torch.Tensor, strength: tuple[float, float]) -> Moves:
    """The moves of boxes over time `[r, f, 4]`: they carry and scale what they hold. The background has Text2Video-Zero's motion field."""
    start, end = (torch.stack([boxes[..., :2], boxes[..., 2:]]) for boxes in (boxes[:, :1], boxes))
    scale = ((end[1] - end[0]).prod(-1) / (start[1] - start[0]).prod(-1)).sqrt()  # [r, f]
    shift = end.mean(0) - scale[..., None] * start.mean(0)
    matrices = torch.cat([torch.diag_embed(torch.stack([scale, scale], -1)), shift[..., None]], -1)
    return Moves(boxes[:, 0], matrices, torch.arange(boxes.shape[1])[:, None] * torch.tensor(strength))


def center_paths(boxes: torch.Tensor, motion: ClipMotion) -> torch.Tensor:
    """Boxes `[r, 4]` that begin where the middle of their things' paths lies in their old places: what is carried far stays in the picture."""
    middles = []
    for thing in things_of(boxes, motion):
        center = np.array([*center_of(thing), 1.0])
        away = thing.matrices @ center - center[:2]
        middles.append((away.min(0) + away.max(0)) / 2)
    return boxes - torch.tensor(np.tile(middles, 2)).to(boxes) if middles else boxes


def make_room(boxes: torch.Tensor, motion: ClipMotion) -> torch.Tensor:
    """Boxes `[r, 4]` laid into what the paths of their things leave of the picture, all alike: whoever is carried far is smaller, and stays in it whole."""
    paths = [thing.matrices @ np.array([*center_of(thing), 1.0]) - center_of(thing) for thing in things_of(boxes, motion)]
    if not paths:
        return boxes
    return torch.from_numpy(leave_room(boxes.cpu().numpy(), np.min(paths, (0, 1)), np.max(paths, (0, 1)))).to(boxes)


def moves_of_clip(boxes: torch.Tensor, motion: ClipMotion) -> Moves:
    """The same of boxes `[r, 4]` that move as the things of a clip do, from left to right; with fewer things they begin anew. Without any they stay."""
    frames = len(motion.background)
    matrices = torch.eye(2, 3).repeat(len(boxes), frames, 1, 1)
    for i, thing in enumerate(things_of(boxes, motion)):
        box = tuple(boxes[i].tolist())
        matrices[i] = torch.from_numpy(np.stack([about_center(m, center_of(thing), box) for m in thing.matrices]))
    return Moves(boxes, matrices, torch.from_numpy(-motion.background * WIDTH).float())


def things_of(boxes: torch.Tensor, motion: ClipMotion) -> list[Thing]:
    """The thing that each of boxes `[r, 4]` moves as; an empty list if nothing moves."""
    order = boxes[:, 0].argsort(stable=True).tolist()
    return [motion.things[order.index(i) % len(motion.things)] for i in range(len(boxes))] if motion.things else []


def center_of(thing: Thing) -> tuple[float, float]:
    """The middle of its box in the first frame."""
    left, top, right, bottom = thing.box
    return (left + right) / 2, (top + bottom) / 2


def carry_boxes(moves: Moves) -> torch.Tensor:
    """Where the moves bring their boxes, `[r, f, 4]`: upright, of the new size, within the picture."""
    left, top, right, bottom = moves.boxes.unbind(1)
    centers = torch.stack([(left + right) / 2, (top + bottom) / 2, torch.ones_like(left)], 1)
    at = torch.einsum("rfij,rj->rfi", moves.matrices, centers)
    scale = moves.matrices[..., :2].det().abs().sqrt()[..., None]  # [r, f, 1]
    half = scale * torch.stack([right - left, bottom - top], 1)[:, None] / 2
    return torch.cat([at - half, at + half], -1).clamp(0, 1)


def move_latents(latents: torch.Tensor, moves: Moves, shifted: torch.Tensor, sources: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Frames' latents `[f, c, h, w]`: the first frame's `latents` `[c, h, w]` in their boxes, each brought where `moves` says, before the background.

    `shifted` `[f, c, h, w]` is the background as it has moved, `sources` `[f, h w]` the position in the first frame that each of its positions
    came from. Where it came from a box, and none covers it now, there is `noise`. By whole latents, as `warp_latents`. No motion is the identity.
    """
    height, width = latents.shape[-2:]
    centers = find_centers(height, width)
    held = [inside(centers, box) for box in moves.boxes]
    out, covered = shifted.flatten(2).clone(), torch.zeros(sources.shape, dtype=torch.bool)
    uncovered = torch.stack(held).any(0)[sources.cpu()]
    first = latents.flatten(1)
    for box, matrices in zip(moves.boxes, moves.matrices, strict=True):
        for f, matrix in enumerate(matrices):
            origin = invert(matrix, centers)
            here = inside(origin, box)
            index = find_index(origin[here], height, width)
            out[f][:, here.to(out.device)] = first[:, index.to(first.device)]
            covered[f] |= here
    empty = (uncovered & ~covered).to(out.device)[:, None]
    return torch.where(empty, noise.flatten(2), out).unflatten(2, (height, width))


def find_centers(height: int, width: int) -> torch.Tensor:
    """The centers (x, y) of the positions of a map, in fractions: `[h w, 2]`."""
    y, x = torch.meshgrid((torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij")
    return torch.stack([x, y], -1).flatten(0, 1)


def inside(places: torch.Tensor, box: torch.Tensor) -> torch.Tensor:
    """Which of `places` `[n, 2]` lie in the box `[4]`."""
    return ((places >= box[:2]) & (places < box[2:])).all(1)


def invert(matrix: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Where `matrix` `[2, 3]` has brought `places` `[n, 2]` from."""
    return torch.linalg.solve(matrix[:, :2], (places - matrix[:, 2]).T).T


def find_index(places: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The positions, row by row, that `places` `[n, 2]` lie in."""
    x, y = (places * torch.tensor([width, height])).floor().long().unbind(1)
    return y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
