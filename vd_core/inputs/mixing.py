"""Eq. 6: one picture of every subject, side by side in one picture."""

import numpy as np
from PIL import Image

from vd_core.seeds import seed_for


def mix_pictures(pictures: list[Image.Image], resolution: int) -> Image.Image:
    """Eq. 6: x_mix = [x_1 ; x_2 ; ... ; x_N], each narrowed to its share of `resolution` x `resolution`."""
    edges = np.linspace(0, resolution, len(pictures) + 1).round().astype(int)
    mixed = Image.new("RGB", (resolution, resolution))
    for picture, left, right in zip(pictures, edges, edges[1:], strict=False):
        mixed.paste(picture.resize((int(right - left), resolution), Image.Resampling.LANCZOS), (int(left), 0))
    return mixed


def draw_mixtures(picture_counts: list[int], count: int, seed: int) -> list[list[int]]:
    """Which picture m_i of each subject stands in each of `count` mixtures: random, but every picture is used before one comes twice."""
    rng = np.random.default_rng(seed_for("mixtures", seed))
    columns = []
    for pictures in picture_counts:
        rounds = [rng.permutation(pictures) for _ in range(-(-count // pictures))]
        columns.append(np.concatenate(rounds)[:count])
    return np.stack(columns, axis=1).tolist()
