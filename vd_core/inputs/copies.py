"""Copies of a reference clip that move as it does and share none of its looks: other things on the same paths, the same things in other colors and places.

Our own, for III-F: what T_m sees in them differs in everything but the motion.
"""

import re
from dataclasses import dataclass

import cv2
import numpy as np

from vd_core.inputs.cutouts import find_outline, place_behind, recolor
from vd_core.inputs.prompts import enumerate_names
from vd_core.inputs.tracks import for_each, keep_whole, link_boxes

ACTED, MOVED = 0.6, 0.25
"""Shares of the copies in which the base's own things go the reference's paths, and in which the reference's things stand in another place; the rest is the
clip itself in other colors."""
RECOLORED = 0.7
"""The share of things that get other colors."""
LARGER, SHIFT = 0.12, 0.06
"""How much larger or smaller a copy is at most, and how far from its place, in widths."""
PLACE = re.compile(r"\s+(?:in|on|at|under|over|through|across|along|near)\s+(?:the\s+|a\s+|an\s+)?\w+(?:\s\w+)?$")
PREDICATE = re.compile(r"\b(?:is |are )?\w+ing\b.*")


@dataclass(frozen=True)
class Cast:
    """What a base draws for the copies: cut-outs (RGBA) of things under their nouns, and empty pictures of places under the words for them."""

    actors: dict[str, list[np.ndarray]]
    places: dict[str, list[np.ndarray]]


@dataclass(frozen=True)
class Reference:
    """A clip `[f, h, w, 3]` of uint8, its prompt without the place, its place's words, the paths `[n, f, 4]` of its things and their outlines `[f, h, w, 1]`."""

    clip: np.ndarray
    action: str
    place: str
    paths: np.ndarray
    outlines: np.ndarray


@dataclass(frozen=True)
class Copy:
    """A clip `[f, h, w, 3]` of uint8 and its prompt."""

    frames: np.ndarray
    prompt: str


def read_reference(clip: np.ndarray, prompt: str, boxes: list[np.ndarray], things: int) -> Reference:
    """The reference with its paths; `boxes` `[k, 4]` are those of each frame, surest first, of which at most `things` count."""
    found = PLACE.search(prompt)
    action, place = (prompt[: found.start()], found.group().strip()) if found else (prompt, "")
    behind = place_behind(clip, boxes)
    outlines = np.stack([find_outline(frame, own, behind) for frame, own in zip(clip, boxes, strict=True)])
    paths = link_boxes([keep_whole(own) for own in boxes], things)
    return Reference(clip, action, place, paths, outlines)


def predicate_of(action: str, doers: int) -> str:
    """What is done: "a man is skiing" to "is skiing", or "are skiing" of several; empty if no word says it."""
    found = PREDICATE.search(action)
    return re.sub(r"^(is|are) ", "is " if doers == 1 else "are ", found.group()) if found else ""


def say_action(reference: Reference, nouns: list[str], place: str) -> str:
    """A prompt of other things that do what the reference's do: "a dog, a cat are skiing on the beach"."""
    doers = enumerate_names([f"a {noun}" for noun in nouns])
    return " ".join(f"{doers} {predicate_of(reference.action, len(nouns))} {place}".split())


def draw_copy(reference: Reference, cast: Cast, rng: np.random.Generator) -> Copy:
    """One copy, of one of the three kinds; without paths, things or places of those that are possible."""
    kind, zoom = rng.random(), rng.uniform(1 - LARGER, 1 + LARGER)
    shift = rng.uniform(-1, 1, 2) * (SHIFT, SHIFT / 2) * reference.clip.shape[2]
    place = str(rng.choice(list(cast.places))) if cast.places else reference.place
    if not cast.places or kind >= ACTED + MOVED or not len(reference.paths):
        frames = warp(recolor(reference.clip, rng), max(zoom, 1.0), shift / 2, cv2.BORDER_REPLICATE)
        return Copy(frames, f"{reference.action} {reference.place}".strip())
    field = cast.places[place][rng.integers(len(cast.places[place]))]
    if kind < ACTED and cast.actors:
        return act(reference, cast, field, place, zoom, shift, rng)
    outlines = warp(reference.outlines, zoom, shift, cv2.BORDER_CONSTANT)
    frames = warp(recolor(reference.clip, rng), zoom, shift, cv2.BORDER_REPLICATE)
    return Copy((frames * outlines + field * (1 - outlines)).astype(np.uint8), f"{reference.action} {place}".strip())


def warp(frames: np.ndarray, zoom: float, shift: np.ndarray, border: int) -> np.ndarray:
    """Frames `[f, h, w, c]` larger by `zoom` around a point low in the middle, and moved by `shift` (x, y) pixels."""
    height, width = frames.shape[1:3]
    matrix = np.array([[zoom, 0, (1 - zoom) * width / 2 + shift[0]], [0, zoom, (1 - zoom) * height * 0.8 + shift[1]]], np.float32)
    moved = [cv2.warpAffine(frame, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=border) for frame in frames]
    return np.stack(moved).reshape(frames.shape)


def act(reference: Reference, cast: Cast, field: np.ndarray, place: str, zoom: float, shift: np.ndarray, rng: np.random.Generator) -> Copy:
    """One cut-out of every noun before `field`, each on its path."""
    height, width = field.shape[:2]
    frames = np.repeat(field[None].astype(np.float32), len(reference.clip), 0)
    low = np.array([width / 2, 0.8 * height])
    paths = for_each(reference.paths, len(cast.actors), width)
    for path, actors in zip(paths, cast.actors.values(), strict=True):
        actor = actors[rng.integers(len(actors))]
        if rng.random() < RECOLORED:
            actor = np.dstack([recolor(actor[..., :3], rng), actor[..., 3]])
        tall = np.median(path[:, 3] - path[:, 1]) * rng.uniform(0.8, 1.15) * zoom
        feet = np.stack([(path[:, 0] + path[:, 2]) / 2, path[:, 3]], 1)
        for frame, foot in zip(frames, (feet - low) * zoom + low + shift, strict=True):
            lay_over(frame, actor, foot, tall)
    return Copy(frames.astype(np.uint8), say_action(reference, list(cast.actors), place))


def lay_over(frame: np.ndarray, actor: np.ndarray, foot: np.ndarray, tall: float) -> np.ndarray:
    """Lay a cut-out over `frame` in place, `tall` pixels high, the middle of its lower side at `foot` (x, y); how far it hides each pixel, `[h, w]`."""
    scale, size = tall / actor.shape[0], frame.shape[1::-1]
    matrix = np.array([[scale, 0, foot[0] - scale * actor.shape[1] / 2], [0, scale, foot[1] - tall]], np.float32)
    alpha = cv2.warpAffine(actor[..., 3].astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR)[..., None] / 255
    colors = cv2.warpAffine(actor[..., :3].astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    frame[:] = colors * alpha + frame * (1 - alpha)
    return alpha[..., 0]
