"""Boxes that a detector found frame by frame, as the paths of things."""

import numpy as np
from scipy.optimize import linear_sum_assignment

FEWEST = 0.5
"""A clip whose things are found in fewer of its frames has no paths."""


WITHIN = 0.5
"""A box that lies within a larger one by more than this share of its area is a part of the same thing: skis, a backpack."""


def keep_whole(boxes: np.ndarray) -> np.ndarray:
    """Boxes `[k, 4]` without those of parts of a larger one, in their order."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    corner, end = np.maximum(boxes[:, None, :2], boxes[None, :, :2]), np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (end - corner).clip(min=0).prod(-1) / areas[:, None]
    part = (shared > WITHIN) & (areas[:, None] < areas[None])
    return boxes[~part.any(1)]


def link_boxes(found: list[np.ndarray], most: int) -> np.ndarray:
    """The paths of a clip's things, `[n, f, 4]` from left to right, from the boxes `[k, 4]` of its frames, surest first; n is 0 to `most`.

    How many there are is what most frames say. A frame where one is missing takes the place between its neighbours'.
    """
    counts = [min(len(boxes), most) for boxes in found]
    count = int(np.median(counts))
    whole = [f for f, n in enumerate(counts) if n >= count]
    if not count or len(whole) < FEWEST * len(found):
        return np.zeros((0, len(found), 4))
    paths = np.full((count, len(found), 4), np.nan)
    start = found[whole[0]][:count]
    last = start[np.argsort(start[:, 0] + start[:, 2])]
    for f, boxes in enumerate(found):
        for i, j in zip(*linear_sum_assignment(distances(last, boxes)), strict=True):
            paths[i, f] = last[i] = boxes[j]
    return interpolate(paths)


def distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Between the middles of boxes `[n, 4]` and `[k, 4]`, `[n, k]`."""
    a, b = ((boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (first, second))
    return np.linalg.norm(a[:, None] - b[None], axis=-1)


def interpolate(paths: np.ndarray) -> np.ndarray:
    """Paths `[n, f, 4]` with what is missing (NaN) between its neighbours."""
    frames = np.arange(paths.shape[1])
    for path in paths:
        seen = ~np.isnan(path[:, 0])
        for side in range(4):
            path[:, side] = np.interp(frames, frames[seen], path[seen, side])
    return paths


def for_each(paths: np.ndarray, count: int, width: int) -> np.ndarray:
    """`count` paths `[count, f, 4]` out of `paths` `[n, f, 4]`: the first ones; where there are too few, all go the first one's way, side by side."""
    if len(paths) >= count:
        return paths[:count]
    middle = (paths[0, :, 0] + paths[0, :, 2]).mean() / 2
    columns = (np.arange(count) + 0.5) / count * width
    return np.stack([paths[0] + np.array([x - middle, 0, x - middle, 0]) for x in columns])
