"""Things cut out of pictures and clips, and the places that they stood in: arrays in, arrays out; pictures are uint8 RGB `[h, w, 3]`."""

from collections.abc import Callable

import cv2
import numpy as np

Find = Callable[[np.ndarray, str | None], np.ndarray]
"""The boxes `[n, 4]` in a picture `[h, w, 3]` of uint8, surest first: of a noun, or of everything."""

MARGIN = 0.06
"""A box is taken wider by this share of the picture's width: shadows and soft edges belong to what it holds."""
DIFFERS, CERTAIN = 25, 70
"""A channel's difference, 0 to 255, from which a pixel is not its place's; and from which that is certain, where the place is known."""
DRAWING = 128
"""Pixels of the longer side of a picture whose rows repeat, as those of the embedded base do; a larger one is a photograph."""


def cover(shape: tuple[int, ...], boxes: np.ndarray) -> np.ndarray:
    """Where boxes `[n, 4]` (x1 y1 x2 y2) lie with their margin, bool `[h, w]`."""
    height, width = shape[:2]
    covered, margin = np.zeros((height, width), bool), round(MARGIN * width)
    for x1, y1, x2, y2 in np.asarray(boxes).round().astype(int).reshape(-1, 4):
        covered[max(y1 - margin, 0) : y2 + margin + 1, max(x1 - margin, 0) : x2 + margin + 1] = True
    return covered


def fill_rows(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The picture with its hole `[h, w]` filled from the same row, half a width away if that is free: places change less sideways than up and down."""
    filled, missing, width = picture.copy(), hole.copy(), picture.shape[1]
    for shift in sorted(range(1, width), key=lambda s: -min(s, width - s)):
        usable = missing & ~np.roll(hole, shift, 1)
        filled[usable] = np.roll(picture, shift, 1)[usable]
        missing &= ~usable
        if not missing.any():
            break
    return filled


def empty_place(picture: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """A picture without what stands in its boxes `[n, 4]`."""
    return fill_rows(picture, cover(picture.shape, boxes))


def median_behind(clip: np.ndarray, boxes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """What a clip `[f, h, w, 3]` shows behind the things that stand in `boxes` (`[n, 4]` a frame): the median of what they do not cover, and where that is never, `[h, w]`."""
    covered = np.stack([cover(frame.shape, own) for frame, own in zip(clip, boxes, strict=True)])
    seen = np.ma.median(np.ma.masked_array(clip, np.repeat(covered[..., None], 3, -1)), 0)
    return seen.filled(0).astype(np.uint8), covered.all(0)


def place_behind(clip: np.ndarray, boxes: list[np.ndarray]) -> np.ndarray:
    """The place of a clip whose things stand in `boxes`: what is seen behind them, the rest from its rows."""
    return fill_rows(*median_behind(clip, boxes))


def find_outline(picture: np.ndarray, boxes: np.ndarray, place: np.ndarray, known: bool = False) -> np.ndarray:
    """How far each pixel belongs to what stands in the boxes `[n, 4]`, 0 to 1 `[h, w, 1]`: where it differs from its place, corrected by GrabCut.

    Of a `known` place, and not a guess of its colors, GrabCut does not take what differs most: it takes a thing's stripe for the place if both have one color.
    """
    mask, difference = np.full(picture.shape[:2], cv2.GC_BGD, np.uint8), np.abs(picture.astype(int) - place).max(-1)
    likely = np.where(difference > DIFFERS, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    if known:
        likely[difference > CERTAIN] = cv2.GC_FGD
    for x1, y1, x2, y2 in np.asarray(boxes).round().astype(int):
        inside = np.s_[max(y1 - 1, 0) : y2 + 2, max(x1 - 1, 0) : x2 + 2]
        mask[inside] = likely[inside]
    if (mask == cv2.GC_PR_FGD).any():
        cv2.setRNGSeed(0)
        cv2.grabCut(np.ascontiguousarray(picture[..., ::-1]), mask, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    return cv2.GaussianBlur(np.isin(mask, (cv2.GC_PR_FGD, cv2.GC_FGD)).astype(np.float32), (3, 3), 0)[..., None]


def fill_holes(cutout: np.ndarray) -> np.ndarray:
    """An RGBA cut-out that hides what its outline closes in: eyes may have the colors of what was behind."""
    edges, _ = cv2.findContours((cutout[..., 3] > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    inside = cv2.drawContours(np.zeros(cutout.shape[:2], np.uint8), edges, -1, 255, cv2.FILLED)
    inner = cv2.erode(inside, np.ones((3, 3), np.uint8))
    return np.dstack([cutout[..., :3], np.maximum(cutout[..., 3], inner)])


def cut_box(box: np.ndarray, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """What is cut out for a box `[4]` of a picture of `shape`, in whole pixels (x1 y1 x2 y2): a little more, for soft edges."""
    x1, y1, x2, y2 = np.asarray(box).round().astype(int)
    return max(x1 - 1, 0), max(y1 - 1, 0), min(x2 + 2, shape[1]), min(y2 + 2, shape[0])


def cut_out(picture: np.ndarray, box: np.ndarray, place: np.ndarray | None = None) -> np.ndarray:
    """What stands in a box `[4]` of a picture before its `place`, which is else made of the picture's rows: uint8 RGBA as large as `cut_box`."""
    behind, known = (empty_place(picture, box[None]), False) if place is None else (place, max(picture.shape) <= DRAWING)
    alpha = find_outline(picture, box[None], behind, known)
    x1, y1, x2, y2 = cut_box(box, picture.shape)
    whole = np.dstack([picture, (255 * alpha).round().astype(np.uint8)])
    return whole[y1:y2, x1:x2]


def recolor(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same shapes in other colors, `[..., h, w, 3]`: hue turned, channels exchanged, some inverted, lighter or darker; one draw for all frames."""
    hsv = cv2.cvtColor(frames.reshape(-1, frames.shape[-2], 3), cv2.COLOR_RGB2HSV_FULL)
    hsv[..., 0] += np.uint8(rng.integers(256))  # wraps around, as hues do
    colors = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL).reshape(frames.shape)[..., rng.permutation(3)]
    if rng.random() < 0.3:
        colors = 255 - colors
    return (255 * (colors / 255) ** rng.uniform(0.6, 1.4)).astype(np.uint8)
