"""Subjects that were drawn alone, laid into their boxes before one of their places: arrays in, arrays out; clips are uint8 RGB `[f, h, w, 3]`."""

from dataclasses import dataclass

import numpy as np

from vd_core.inputs.copies import lay_over
from vd_core.inputs.cutouts import cut_box, cut_out, fill_holes, median_behind
from vd_core.inputs.scattering import fill_hole
from vd_core.inputs.tracks import interpolate

WIDER, HIGHER = 1.2, 0.9
"""How large a subject becomes at most, in widths and heights of its box: neighbors may overlap a little."""
LOWEST = 0.03
"""How far above its box's lower side a subject stands, in heights of the picture."""

OUTLINED = 0.5
"""A frame in which less of a subject's box is outlined than this, as a share of what is in most frames, has lost it."""


@dataclass(frozen=True)
class Alone:
    """A subject's clip, its box `[f, 4]` in each frame, in pixels, and the place `[h, w, 3]` behind it. A clip of one frame is a picture that lasts.

    It brings a `backdrop` `[h, w, 3]` that others may be laid before too; of several that which `suits` best is taken.
    """

    clip: np.ndarray
    path: np.ndarray
    place: np.ndarray
    backdrop: np.ndarray
    suits: float


@dataclass(frozen=True)
class Laid:
    """All subjects in one clip `[f, h, w, 3]`, their `boxes` `[r, f, 4]` in fractions, and how far somebody `hides` the place, 0 to 1 `[f, h, w]`."""

    clip: np.ndarray
    boxes: np.ndarray
    hides: np.ndarray


@dataclass(frozen=True)
class Way:
    """How a subject comes onto the stage: its size, in its own sizes, and where its feet (x, y, in pixels) stand, for each frame."""

    scales: np.ndarray
    feet: np.ndarray


def see_alone(clip: np.ndarray, boxes: list[np.ndarray]) -> Alone | None:
    """A subject whose boxes `[k, 4]` were found in each frame, surest first; where none was, it is between its neighbors' places. None: never found.

    A second one that was drawn beside it is not left in its place either. Places suit the better the less of them is guessed.
    """
    path = np.array([own[0] if len(own) else [np.nan] * 4 for own in boxes], float)
    if np.isnan(path).all():
        return None
    whole = interpolate(path[None])[0]
    behind, hole = median_behind(clip, [np.concatenate([box[None], own]) for box, own in zip(whole, boxes, strict=True)])
    place = fill_hole(behind, hole)
    return Alone(clip, whole, place, place, -float(hole.mean()))


def find_way(path: np.ndarray, boxes: np.ndarray, shape: tuple[int, ...]) -> Way:
    """How a path `[f, 4]` (or `[1, 4]`) in pixels goes on in `boxes` `[f, 4]`, fractions of a picture of `shape`: as large as the box allows, and as far in proportion."""
    height, width = shape[:2]
    size = np.median(path[:, 2:] - path[:, :2], 0)
    room = (boxes[:, 2:] - boxes[:, :2]) * [width * WIDER, height * HIGHER]
    scales = (room / size).min(1)
    home = np.array([np.median(path[:, 0] + path[:, 2]) / 2, path[:, 3].max()])  # what jumps comes down again
    stands = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2 * width, (boxes[:, 3] - LOWEST) * height], 1)
    feet = np.stack([(path[:, 0] + path[:, 2]) / 2, path[:, 3]], 1)
    return Way(scales, stands + scales[:, None] * (feet - home))


def set_stage(alone: list[Alone | None], boxes: np.ndarray) -> Laid:
    """All subjects in one clip, each in its own of `boxes` `[r, f, 4]` (fractions), those that stand lower in front; the boxes have gone as far as each has from its own.

    The place is the backdrop that suits best. A subject that is None is missing. ValueError if all are.
    """
    there = [(own, i) for i, own in enumerate(alone) if own is not None]
    if not there:
        raise ValueError("nobody to be laid anywhere")
    place = max((own for own, _ in there), key=lambda own: own.suits).backdrop
    frames = np.repeat(place[None].astype(np.float32), boxes.shape[1], 0)
    gone, hides = boxes.copy(), np.zeros(frames.shape[:3])
    for own, i in sorted(there, key=lambda pair: boxes[pair[1], 0, 3]):
        way = find_way(own.path, boxes[i], frames.shape[1:])
        hides = np.maximum(hides, walk(frames, own, way))
        gone[i] = follow(boxes[i], way, frames.shape[1:])
    return Laid(frames.round().astype(np.uint8), gone, hides)


def show_cut(own: Alone) -> np.ndarray:
    """A subject's clip as its cut-outs show it: each before the place that was found behind it."""
    frames = np.repeat(own.place[None].astype(np.float32), len(own.clip), 0)
    for frame, actor, box in zip(frames, cut_all(own), own.path, strict=True):
        left, _, right, bottom = cut_box(box, own.clip.shape[1:])
        lay_over(frame, actor, np.array([(left + right) / 2, bottom]), actor.shape[0])
    return frames.round().astype(np.uint8)


def cut_all(own: Alone) -> list[np.ndarray]:
    """A subject of each frame, RGBA; where hardly anything was outlined, that of the nearest frame in which more was."""
    actors = [fill_holes(cut_out(picture, box, own.place)) for picture, box in zip(own.clip, own.path, strict=True)]
    filled = np.array([(actor[..., 3] > 127).mean() for actor in actors])
    whole = np.flatnonzero(filled >= OUTLINED * np.median(filled))
    return [actors[whole[np.abs(whole - f).argmin()]] for f in range(len(actors))]


def walk(frames: np.ndarray, own: Alone, way: Way) -> np.ndarray:
    """Lay a subject over `frames` in place; how far it hides each of their pixels, `[f, h, w]`."""
    actors, hides = cut_all(own), []
    for f, (frame, scale, foot) in enumerate(zip(frames, way.scales, way.feet, strict=True)):
        actor, box = actors[min(f, len(actors) - 1)], own.path[min(f, len(actors) - 1)]
        left, _, right, bottom = cut_box(box, own.clip.shape[1:])
        more = np.array([(left + right - box[0] - box[2]) / 2, bottom - box[3]])  # a cut-out is a little larger than its box
        hides.append(lay_over(frame, actor, foot + scale * more, scale * actor.shape[0]))
    return np.stack(hides)


def follow(boxes: np.ndarray, way: Way, shape: tuple[int, ...]) -> np.ndarray:
    """Boxes `[f, 4]` moved as far as the subject stands from their own middle and ground, within the picture."""
    height, width = shape[:2]
    stands = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3] - LOWEST], 1)
    return np.clip(boxes + np.tile(way.feet / [width, height] - stands, 2), 0, 1)
