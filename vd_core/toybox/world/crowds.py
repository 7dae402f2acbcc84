"""Scenes in which toys stand elsewhere than side by side on the ground: in two rows, or wherever there is room."""

from dataclasses import replace

import numpy as np

from vd_core.toybox.world.scenes import BACKGROUNDS, MOTIONS, TRAINING, Scene, Toy, sample_toy

ROWS_SHARE = 0.5
"""How many of the crowds of four and more stand in two rows; the rest, and all smaller ones, stand wherever there is room."""
MOVING = 1.5
"""How many toys of a crowd do something, in the mean: captions of more are too long."""
TRIES = 40


def sample_crowd(seed: int, count: int, identities: tuple = TRAINING) -> Scene:
    """The ground truth of `count` toys (one to six), each with a motion of its own, in two rows or wherever there is room."""
    rng = np.random.default_rng([seed, 73])
    feet = in_two_rows(count, rng) if count > 3 and rng.random() < ROWS_SHARE else where_there_is_room(count, rng)
    toys = tuple(place(sample_toy(rng, identities), foot, MOVING / count, rng) for foot in sorted(feet))
    return Scene(toys, str(rng.choice(list(BACKGROUNDS))), seed, phase=float(rng.random()))


def place(toy: Toy, foot: tuple[float, float, float], moving: float, rng: np.random.Generator) -> Toy:
    """`toy` at x, ground and size; with the chance `moving` it does something."""
    motion = str(rng.choice(list(MOTIONS))) if rng.random() < moving else "still"
    return replace(toy, x=foot[0], ground=foot[1], size=foot[2], motion=motion)


def in_two_rows(count: int, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """x, ground and size of each toy: half of them above, half below, in equal columns, a little shifted."""
    above = count // 2 if rng.random() < 0.5 else count - count // 2
    feet = []
    for row, ground in ((above, 0.47), (count - above, 0.95)):
        size = min(0.85 / row, 0.42)
        for i in range(row):
            x = (i + 0.5) / row + rng.uniform(-0.1, 0.1) / row
            feet.append((float(x), float(ground + rng.uniform(-0.04, 0.02)), float(size * rng.uniform(0.85, 1.1))))
    return feet


def where_there_is_room(count: int, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """x, ground and size of each toy, none much over another: of some random arrangements the first that fits, otherwise the loosest."""
    loosest = throw(count, rng)
    for _ in range(TRIES):
        if overlap(loosest) < 0.1:
            break
        loosest = min(loosest, throw(count, rng), key=overlap)
    return loosest


def throw(count: int, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """x, ground and size of each toy, anywhere within the picture."""
    sizes = {1: 0.55, 2: 0.42, 3: 0.36, 4: 0.32, 5: 0.29, 6: 0.27}[count] * rng.uniform(0.75, 1.15, count)
    return [(float(rng.uniform(s / 2, 1 - s / 2)), float(rng.uniform(s + 0.02, 0.97)), float(s)) for s in sizes]


def overlap(feet: list[tuple[float, float, float]]) -> float:
    """The greatest share of a toy's square that lies within another's."""
    worst = 0.0
    for i, (x, y, size) in enumerate(feet):
        for other_x, other_y, other in feet[i + 1 :]:
            width = (size + other) / 2 - abs(x - other_x)
            height = min(y, other_y) - max(y - size, other_y - other)
            worst = max(worst, max(width, 0.0) * max(height, 0.0) / min(size, other) ** 2)
    return worst
