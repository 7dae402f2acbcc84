"""Mixed pictures beyond strips: the subjects, cut out, at random places and sizes before one of their own backgrounds. Not the paper's (Seg-Mix's and DisenStudio's idea)."""

from dataclasses import dataclass

import cv2
import numpy as np

from vd_core.inputs.cutouts import DRAWING, cover, cut_out, fill_holes, fill_rows
from vd_core.inputs.scenes import Box

SIDE = 0.8
"""The longer side of one subject alone, in widths of the picture; each of n has SIDE / sqrt(n)."""
LARGER = 0.25
"""By how much that varies, up and down."""
OVERLAP = 0.15
"""How much of the smaller of two subjects may be hidden."""
TRIES = 60
"""Placements that are tried before everything becomes a tenth smaller."""
MOST_HIDDEN = 0.9
"""A picture whose subject covers more of it has no background to fill its place with."""
COARSE = 32
"""Pixels to which a photograph is reduced to fill its hole: a blur shows nothing that could be learned."""


@dataclass(frozen=True)
class Scattered:
    """A picture `[h, w, 3]` of uint8, and each subject's box in it."""

    picture: np.ndarray
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Pieces:
    """Of one subject's pictures: what was cut out of each (RGBA), and the backgrounds without it."""

    cutouts: list[np.ndarray]
    places: list[np.ndarray]


def take_apart(pictures: list[np.ndarray], boxes: list[np.ndarray | None]) -> Pieces:
    """The pieces of pictures whose subject stands in `boxes` `[4]`; those without a box are left out."""
    found = [(picture, box) for picture, box in zip(pictures, boxes, strict=True) if box is not None]
    free = [(picture, box) for picture, box in found if cover(picture.shape, box[None]).mean() <= MOST_HIDDEN]
    return Pieces([fill_holes(cut_out(picture, box)) for picture, box in found], [place_without(picture, box) for picture, box in free])


def place_without(picture: np.ndarray, box: np.ndarray) -> np.ndarray:
    """A picture without what stands in its box `[4]`."""
    return fill_hole(picture, cover(picture.shape, box[None]))


def fill_hole(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """A picture with its hole `[h, w]` filled: of a drawing its rows go on, into a photograph colors flow from around."""
    if max(picture.shape) <= DRAWING:
        return fill_rows(picture, hole)
    small, mask = cv2.resize(picture, (COARSE, COARSE), interpolation=cv2.INTER_AREA), hole.astype(np.uint8)
    filled = cv2.inpaint(small, cv2.resize(mask, (COARSE, COARSE), interpolation=cv2.INTER_NEAREST), 3, cv2.INPAINT_TELEA)
    flowing = cv2.resize(filled, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    edge = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), max(picture.shape) / COARSE / 2)
    share = np.maximum(edge, hole)[..., None]
    return (share * flowing + (1 - share) * picture).round().clip(0, 255).astype(np.uint8)


def scatter(pieces: list[Pieces], rng: np.random.Generator, resolution: int) -> Scattered:
    """One picture of every subject; where none has a background, it is one of them blurred beyond recognition."""
    places = [place for own in pieces for place in own.places]
    cutouts = [own.cutouts[rng.integers(len(own.cutouts))] for own in pieces]
    picture = places[rng.integers(len(places))].copy() if places else blur(cutouts[rng.integers(len(cutouts))], resolution)
    sides = SIDE / len(cutouts) ** 0.5 * rng.uniform(1 - LARGER, 1 + LARGER, len(cutouts)) * resolution
    boxes = place_apart(np.array([c.shape[:2] for c in cutouts]), sides, resolution, rng)
    for i in np.argsort(boxes[:, 3], kind="stable"):  # what stands lower stands in front
        paste(picture, cutouts[i], boxes[i])
    return Scattered(picture, tuple(tuple(float(v) for v in box / resolution) for box in boxes))


def place_apart(shapes: np.ndarray, sides: np.ndarray, resolution: int, rng: np.random.Generator) -> np.ndarray:
    """Boxes `[n, 4]` in whole pixels for things of `shapes` `[n, 2]` (height, width), of longer `sides`, that hardly hide one another."""
    while True:
        sizes = np.maximum(1, (shapes / shapes.max(1, keepdims=True) * np.minimum(sides, resolution)[:, None]).round().astype(int))
        for _ in range(TRIES):
            corners = (rng.random((len(sizes), 2)) * (resolution - sizes + 1)).astype(int)
            boxes = np.concatenate([corners[:, ::-1], (corners + sizes)[:, ::-1]], 1)
            if most_hidden(boxes) <= OVERLAP:
                return boxes
        sides = 0.9 * sides


def most_hidden(boxes: np.ndarray) -> float:
    """The greatest overlap of two boxes `[n, 4]`, as a share of the smaller one."""
    low, high = np.maximum(boxes[:, None, :2], boxes[None, :, :2]), np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (high - low).clip(0).prod(2).astype(float)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    np.fill_diagonal(shared, 0)
    return float((shared / np.minimum(areas[:, None], areas)).max())


def paste(picture: np.ndarray, cutout: np.ndarray, box: np.ndarray) -> None:
    """Lay an RGBA cut-out into a box `[4]` of a picture, in place."""
    x1, y1, x2, y2 = box
    smaller = cutout.shape[1] > x2 - x1
    resized = cv2.resize(cutout, (int(x2 - x1), int(y2 - y1)), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    alpha = resized[..., 3:] / 255
    picture[y1:y2, x1:x2] = (alpha * resized[..., :3] + (1 - alpha) * picture[y1:y2, x1:x2]).round()


def blur(cutout: np.ndarray, resolution: int) -> np.ndarray:
    """Colors of a cut-out as a background that shows nothing."""
    return cv2.resize(
        cv2.resize(cutout[..., :3], (2, 2), interpolation=cv2.INTER_AREA), (resolution, resolution), interpolation=cv2.INTER_CUBIC
    )
