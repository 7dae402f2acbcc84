"""What moves in a clip, and how: one similarity transform a thing and frame, and the shift of what lies behind (docs/regions.md)."""

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image

from vd_core.inputs.flow import dense_flow

MOVED = 0.03
"""In picture widths: what has moved further than this, against the background, is part of a thing."""

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


def find_motion(frames: list[Image.Image], count: int) -> ClipMotion:
    """The motion of square `frames`, against the first one: of at most `count` things, the largest. No thing if nothing moves."""
    pictures = [np.array(frame.convert("RGB")) for frame in frames]
    flows = [np.zeros((*pictures[0].shape[:2], 2), np.float32)]
    for picture in pictures[1:]:
        flows.append(dense_flow(pictures[0], picture, flows[-1]))
    side = pictures[0].shape[1]
    flow = np.stack(flows) / side
    background = np.median(flow, axis=(1, 2))
    moved = np.linalg.norm(flow - background[:, None, None], axis=3).max(0) > MOVED
    return ClipMotion(tuple(follow(flow, mask) for mask in find_things(moved, count)), background)


def find_things(moved: np.ndarray, count: int) -> list[np.ndarray]:
    """The largest connected parts of a bool map `[h, w]`, at most `count`, from left to right."""
    total, labels, about, centers = cv2.connectedComponentsWithStats(moved.astype(np.uint8))
    large = [i for i in range(1, total) if about[i, cv2.CC_STAT_AREA] > SMALLEST * moved.size]
    largest = sorted(large, key=lambda i: -about[i, cv2.CC_STAT_AREA])[:count]
    return [labels == i for i in sorted(largest, key=lambda i: centers[i][0])]


def follow(flow: np.ndarray, mask: np.ndarray) -> Thing:
    """The thing in `mask` `[h, w]` under `flow` `[f, h, w, 2]` in fractions of the picture."""
    rows, columns = mask.nonzero()
    side = mask.shape[1]
    places = (np.stack([columns, rows], 1) + 0.5) / side
    box = (*places.min(0) - 0.5 / side, *places.max(0) + 0.5 / side)
    return Thing(tuple(float(edge) for edge in box), np.stack([fit_similarity(places, places + own[mask]) for own in flow]))


def fit_similarity(places: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Turn, scale and shift `[2, 3]` that bring most of `places` `[n, 2]` to `moved`: least squares over those that agree; STILL if too few do."""
    matrix, _ = cv2.estimateAffinePartial2D(places, moved, method=cv2.RANSAC, ransacReprojThreshold=TOLERANCE)
    return STILL if matrix is None else matrix


def about_center(matrix: np.ndarray, center: tuple[float, float], box: tuple[float, float, float, float]) -> np.ndarray:
    """A thing's transform for what stands in another place: it turns and grows around the middle of `box`, and is carried as far as the thing's `center`."""
    linear, own = matrix[:, :2], np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    carried = matrix @ np.array([*center, 1.0]) - np.array(center)
    return np.hstack([linear, (own + carried - linear @ own)[:, None]])
