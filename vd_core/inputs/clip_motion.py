"""What moves in a clip, and how: one similarity transform a thing and frame, and the shift of what lies behind (docs/regions.md)."""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from vd_core.inputs.flow import color_flow, follow_flow

MOVED = 0.03
"""In picture widths: what has moved further than this, against the background, is part of a thing."""

OFTEN = 0.25
"""The share of the frames in which a thing has moved; what is only covered for a while has less."""

DIFFERENT = 12
"""Of 255: what has changed by less, over 3 x 3 pixels, is the same."""

LEAST = 0.3
"""Of the area of the largest thing: the smallest one beside it."""

SEEN = 0.1
"""The share of a part that must be seen to move in a frame; with less it is where it was."""

SMALLEST = 0.01
"""Of the picture's area: the smallest thing."""

TOLERANCE = 0.01
"""In picture widths: how far a pixel may lie from where its thing's transform brings it."""

STILL = np.float64([[1, 0, 0], [0, 1, 0]])


@dataclass(frozen=True)
class Thing:
    """Something that moves: its box in the first frame (left, top, right, bottom) and where each frame brings it, `[f, 2, 3]`, in fractions of the picture."""

    box: tuple[float, float, float, float]
    matrices: np.ndarray


@dataclass(frozen=True)
class ClipMotion:
    """The things that move, from left to right, and the shift `[f, 2]` of the background (x, y) in fractions of the picture."""

    things: tuple[Thing, ...]
    background: np.ndarray

    def spread_over(self, frames: int) -> "ClipMotion":
        """The motion at so many frames, spread evenly from the first to the last."""
        chosen = np.linspace(0, len(self.background) - 1, frames).round().astype(int)
        return ClipMotion(tuple(Thing(thing.box, thing.matrices[chosen]) for thing in self.things), self.background[chosen])


def find_motion(frames: list[Image.Image], count: int) -> ClipMotion:
    """The motion of square `frames`, against the first one: of at most `count` things, the largest. No thing if nothing moves.

    Each frame's flow is looked for from the one before it, so frames should be close: what goes a quarter of the width between two is lost.
    """
    pictures = [np.array(frame.convert("RGB")) for frame in frames]
    flows = [np.zeros((*pictures[0].shape[:2], 2), np.float32)]
    for picture in pictures[1:]:
        flows.append(settle(pictures[0], picture, color_flow(pictures[0], picture, flows[-1])))
    flow = np.stack(flows) / pictures[0].shape[1]
    background = np.median(flow, axis=(1, 2))
    moved = (np.linalg.norm(flow - background[:, None, None], axis=3) > MOVED).mean(0) > OFTEN
    return ClipMotion(tuple(find_things(flow, moved, count)), background)


def motion_of_paths(paths: np.ndarray, side: int) -> ClipMotion:
    """The motion of things whose boxes `[n, f, 4]`, in pixels of square frames of `side`, a detector found in every frame: where they go, and how they grow."""
    boxes = paths / side
    centers, spans = (boxes[..., :2] + boxes[..., 2:]) / 2, boxes[..., 2:] - boxes[..., :2]
    scales = np.sqrt((spans / spans[:, :1]).prod(-1))[..., None, None]  # [n, f, 1, 1]
    linear = scales * np.eye(2)
    matrices = np.concatenate([linear, (centers - scales[..., 0] * centers[:, :1])[..., None]], -1)
    things = [Thing((float(b[0]), float(b[1]), float(b[2]), float(b[3])), m) for b, m in zip(boxes[:, 0], matrices, strict=True)]
    return ClipMotion(tuple(things), np.zeros((paths.shape[1], 2)))


def settle(first: np.ndarray, picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The flow `[h, w, 2]` without what is not seen to move: 0 where the picture is the same, or where the flow leads to something else.

    DIS fills what has no texture, as sky and snow, with the flow of what moves before it.
    """
    same, led = (cv2.blur(cv2.absdiff(first, other), (3, 3)).max(2) for other in (picture, follow_flow(picture, flow)))
    return np.where(((same > DIFFERENT) & (led < same))[..., None], flow, np.float32(0))


def find_things(flow: np.ndarray, moved: np.ndarray, count: int) -> list[Thing]:
    """At most `count` things in a bool map `[h, w]` of what has moved under `flow` `[f, h, w, 2]`, from left to right.

    Of the largest connected part what one transform a frame explains is a thing, and the rest is looked at again: two that touch are two.
    """
    found: list[tuple[Thing, float]] = []
    remaining = moved
    while len(found) < count and (part := largest_part(remaining)).sum() > SMALLEST * moved.size:
        matrices = follow(part, flow)
        explained = explain(flow, part, matrices)
        remaining = remaining & ~(explained if explained.sum() > SMALLEST * moved.size else part)
        if explained.sum() > max(SMALLEST * moved.size, *(LEAST * area for _, area in found), 0):
            found.append((Thing(box_of(explained), matrices), float(explained.sum())))
    return sorted((thing for thing, _ in found), key=lambda thing: thing.box[0] + thing.box[2])


def largest_part(mask: np.ndarray) -> np.ndarray:
    """The largest connected part of a bool map; an empty one of an empty one."""
    total, labels, about, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return labels == 1 + about[1:, cv2.CC_STAT_AREA].argmax() if total > 1 else mask


def explain(flow: np.ndarray, part: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """Those positions of a part that its transforms bring where the flow does, in most frames."""
    places = places_in(part)
    away = [np.linalg.norm(places @ m[:, :2].T + m[:, 2] - places - own[part], axis=1) for m, own in zip(matrices, flow, strict=True)]
    explained = np.zeros_like(part)
    explained[part] = (np.stack(away) < 2 * TOLERANCE).mean(0) > 0.5
    return explained


def places_in(mask: np.ndarray) -> np.ndarray:
    """The centers (x, y) of a mask's pixels, in fractions of the picture, `[n, 2]`."""
    rows, columns = mask.nonzero()
    return (np.stack([columns, rows], 1) + 0.5) / mask.shape[1]


def box_of(mask: np.ndarray) -> tuple[float, float, float, float]:
    """The box around a mask, in fractions of the picture."""
    places, half = places_in(mask), 0.5 / mask.shape[1]
    left, top, right, bottom = (*(places.min(0) - half), *(places.max(0) + half))
    return float(left), float(top), float(right), float(bottom)


def follow(part: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The part's transforms `[f, 2, 3]` by the flow `[f, h, w, 2]` of what is seen to move in each frame; where that is too little it is where it was."""
    places, matrices = places_in(part), [STILL]
    for own in flow[1:]:
        seen = np.abs(own[part]).max(1) > 0
        fitted = fit_similarity(places[seen], (places + own[part])[seen]) if seen.mean() > SEEN else None
        matrices.append(matrices[-1] if fitted is None else fitted)
    return np.stack(matrices)


def fit_similarity(places: np.ndarray, moved: np.ndarray) -> np.ndarray | None:
    """Turn, scale and shift `[2, 3]` that bring most of `places` `[n, 2]` to `moved`: least squares over those that agree; None if too few do."""
    return cv2.estimateAffinePartial2D(places, moved, method=cv2.RANSAC, ransacReprojThreshold=TOLERANCE)[0]


def about_center(matrix: np.ndarray, center: tuple[float, float], box: tuple[float, float, float, float]) -> np.ndarray:
    """A thing's transform for what stands in another place: it turns and grows around the middle of `box`, and is carried as far as the thing's `center`."""
    linear, own = matrix[:, :2], np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    carried = matrix @ np.array([*center, 1.0]) - np.array(center)
    return np.hstack([linear, (own + carried - linear @ own)[:, None]])
