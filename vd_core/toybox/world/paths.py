"""Motions that no word of the world's names: toys that go along a path."""

from dataclasses import replace

import numpy as np

from vd_core.toybox.world.draw import CLIP_FRAMES, draw_frame, paint_background
from vd_core.toybox.world.scenes import Scene

REACH, LOW = 0.13, 0.13
"""How far a path goes to each side, and how high above the ground its middle is, in picture widths."""


def path_of(name: str, frames: int = CLIP_FRAMES) -> np.ndarray:
    """A path `[frames, 2]`, right and up from the toy's place, in picture widths; KeyError for another name."""
    p = np.arange(frames) / frames
    turn = 2 * np.pi * p
    return {
        "circle": np.stack([REACH * np.cos(turn), LOW + REACH * np.sin(turn)], 1),
        "eight": np.stack([REACH * np.sin(turn), LOW + REACH * np.sin(2 * turn)], 1),
        "zigzag": np.stack([0.24 * (p - 0.5), LOW + REACH * (1 - 4 * np.abs(2 * p % 1 - 0.5))], 1),
        "slow_then_fast": np.stack([0.26 * (p**3 - 0.3), 0.24 * p**3], 1),
    }[name]


def draw_along(scene: Scene, path: np.ndarray) -> np.ndarray:
    """The scene with all its toys, which stand still otherwise, on `path` `[f, 2]`: uint8 RGB `[f, SIZE, SIZE, 3]`."""
    background = paint_background(scene)
    return np.stack([draw_frame(shift(scene, *step), 0.0, background)[0] for step in path])


def shift(scene: Scene, right: float, up: float) -> Scene:
    """The scene with every toy moved."""
    return replace(scene, toys=tuple(replace(t, x=t.x + right, ground=t.ground - up) for t in scene.toys))
