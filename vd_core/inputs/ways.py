"""Where subjects' own words send them: automatic boxes that move as a person would draw them for "is jumping" (docs/regions.md).

Boxes over time that are made from a prompt, as LVD (Lian et al. 2024) has them from a language model; here a table of words says them.
"""

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from vd_core.inputs.scenes import Box, Scene
from vd_core.inputs.subjects import Subject

JUMP, JUMP_FRAMES = 0.2, 8
"""How high a jump goes, in heights of the picture, and how long it lasts."""
SHAKE, SHAKE_FRAMES = 0.04, 4
"""How far what shakes goes to either side, in widths of the picture, and how soon it is back."""
TRAVEL = 0.3
"""How far what goes somewhere goes within a clip, in widths or heights of the picture."""
CIRCLE = 0.12
"""The radius of a circle."""
SMALL = 0.5
"""What grows is so large at first, and what shrinks in the end."""
MOST_TRAVEL = 0.5
"""The most of the picture's width, and height, that is kept free for what moves."""

HOPS = r"jump|hopp?|bounc|leap"
GOES = r"walk|runn?|mov|driv|fly|flie|float|drift|swimm?|roll|slid|glid|ski|surf|skat|rid|crawl|march|danc|sail|rush|rac|jogg?|go|com"
WHERE = r"(?:s|es|ing)?\b.*?\b(?:to (?:the )?|towards? (?:the )?)?"
DIRECTED = rf"\b(?:(?:{GOES}){WHERE}(left|right|up|down)|(?:{HOPS}){WHERE}(left|right))(?:wards?)?\b"
ELSEWHERE = r"\b(?:from|on|at|in) (?:the |its |his |her )?(?:left|right|top|bottom)\b"
TOWARDS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}

Path = np.ndarray
"""What moves a box in each frame, `[f, 3]`: to the right and down, in fractions of the picture, and how large it is, 1 or less."""


def path(frames: int, right: np.ndarray | float = 0.0, down: np.ndarray | float = 0.0, size: np.ndarray | float = 1.0) -> Path:
    """A path of these parts."""
    return np.stack([np.broadcast_to(part, frames) for part in (right, down, size)], 1)


def jump(frames: int) -> Path:
    """Up and down, again and again."""
    return path(frames, down=-JUMP * np.abs(np.sin(np.pi * np.arange(frames) / JUMP_FRAMES)))


def shake(frames: int) -> Path:
    """To and fro."""
    return path(frames, SHAKE * np.sin(2 * np.pi * np.arange(frames) / SHAKE_FRAMES))


def circle(frames: int) -> Path:
    """Once around."""
    turn = 2 * np.pi * np.linspace(0, 1, frames)
    return path(frames, CIRCLE * np.sin(turn), -CIRCLE * np.cos(turn))


def grow(frames: int) -> Path:
    """Larger."""
    return path(frames, size=np.linspace(SMALL, 1, frames))


def shrink(frames: int) -> Path:
    """Smaller."""
    return grow(frames)[::-1]


WAYS: dict[str, Callable[[int], Path]] = {
    rf"\b(?:{HOPS})": jump,
    r"\b(?:shak|trembl|shiver|wiggl|wobbl)": shake,
    r"\bin (?:a )?circles?\b|\bcircling\b": circle,
    r"\bgrow(?:s|ing)?\b|\bcom(?:es|ing) (?:closer|nearer)\b": grow,
    r"\bshrink|\bgo(?:es|ing) away\b": shrink,
}
"""What is found in a subject's words, and the path that it stands for; directions besides (`travel`)."""


def travel(action: str, frames: int) -> Path | None:
    """Straight to where a word of going says: "is sliding to the left"; None if none does."""
    found = re.search(DIRECTED, re.sub(ELSEWHERE, "", action.lower()))
    if found is None:
        return None
    right, down = (TRAVEL * way * np.linspace(-0.5, 0.5, frames) for way in TOWARDS[found[1] or found[2]])
    return path(frames, right, down)


def find_path(action: str, frames: int) -> Path | None:
    """The path that a subject's own words say, "jumping to the left" both at once; None if they say none."""
    paths = [make(frames) for words, make in WAYS.items() if re.search(words, action.lower())]
    if (going := travel(action, frames)) is not None:
        paths.append(going)
    if not paths:
        return None
    together = np.stack(paths)
    return np.concatenate([together[..., :2].sum(0), together[..., 2:].prod(0)], 1)


def words_of(scene: Scene, name: str) -> str:
    """What a subject of a scene does: its own words, or without any those of a scene of all, "are jumping on the beach"."""
    return scene.actions[name] or (scene.text if scene.text.startswith(("are ", "is ")) else "")


def says_a_way(scene: Scene) -> bool:
    """Whether words lead any subject of a scene: boxes that are given are as they were given."""
    return scene.layout is None and any(find_path(words_of(scene, name), 2) is not None for name in scene.actions)


def lead_by_words(scene: Scene, subjects: list[Subject], layout: list[Box], frames: int) -> Scene:
    """A scene whose subjects go as their words say, from boxes of `layout`, one a subject, laid into what the longest way leaves of the picture."""
    paths = [find_path(words_of(scene, s.name), frames) for s in subjects]
    known = np.stack([path(frames) if own is None else own for own in paths])  # [r, f, 3]
    boxes = leave_room(np.array(layout), known[..., :2].min((0, 1)), known[..., :2].max((0, 1)))
    layout_over_time = {s.name: move_box(box, own) for s, box, own in zip(subjects, boxes, known, strict=True)}
    return replace(scene, layout=layout_over_time, led=frozenset(s.name for s, own in zip(subjects, paths, strict=True) if own is not None))


def leave_room(boxes: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Boxes `[r, 4]` laid into what ways between `low` and `high` (x, y) leave of the picture, at most MOST_TRAVEL of it."""
    room = 1 - np.minimum(high - low, MOST_TRAVEL)
    return boxes * np.tile(room, 2) - np.tile(low * (1 - room) / np.maximum(high - low, 1e-6), 2)


def move_box(box: np.ndarray, own: Path) -> tuple[Box, ...]:
    """A box `[4]` in every frame of a path: what is smaller stands on the same ground."""
    left, top, right, bottom = box
    middle, half, high = (left + right) / 2 + own[:, 0], own[:, 2] * (right - left) / 2, own[:, 2] * (bottom - top)
    ground = bottom + own[:, 1]
    sides = np.stack([middle - half, ground - high, middle + half, ground], 1).clip(0, 1)
    return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in sides)
