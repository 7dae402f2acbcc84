"""Clips of the drawn world's toys by several generators, and what judges say of each: fidelity, text, consistency, amplitude."""

from dataclasses import dataclass

import numpy as np
import torch

from vd_core.inputs.pictures import to_pictures
from vd_core.metrics.clip_scores import temporal_consistency, text_fidelity
from vd_core.metrics.intervals import with_interval
from vd_core.metrics.judges import Judges
from vd_core.metrics.report import to_unit
from vd_core.toybox.reading.reader import AttributeReader, read_picture
from vd_core.toybox.reading.tracking import track_toy
from vd_core.toybox.world.draw import in_motion
from vd_core.toybox.world.scenes import BACKGROUNDS, MOTIONS, Toy, sample_scene

READ_EVERY = 3
DRAWS = 1000


@dataclass(frozen=True)
class Scene:
    """A toy that a prompt names, and the prompt."""

    toy: Toy
    prompt: str


def choose_scenes(count: int, seed: int) -> list[Scene]:
    """One moving toy each, the motions in turn."""
    motions = [m for m in MOTIONS if m != "still"]
    scenes = []
    for i in range(count):
        scene = in_motion(sample_scene(seed + i, count=1, collages=False), motions[i % len(motions)])
        toy = scene.toys[0]
        scenes.append(Scene(toy, f"a {toy.colour} {toy.kind} {MOTIONS[motions[i % len(motions)]]} {BACKGROUNDS[scene.background]}"))
    return scenes


@torch.no_grad()
def judge_drawn_clip(judges: Judges, reader: AttributeReader, clip: torch.Tensor, scene: Scene) -> dict[str, float]:
    """Figures of a clip `[f, 3, h, w]` in [-1, 1].

    `fidelity`: the share of its frames (every third) where a toy of the named kind and color is seen. `clip_t`: CLIP's cosine with the prompt.
    `consistency`: CLIP's cosine between frames. `amplitude`: how far the toy goes and grows, in its own heights.
    """
    pictures = to_pictures(clip)
    seen = [
        any(r["kind"] == scene.toy.kind and r["colour"] == scene.toy.colour for r in read_picture(judges, reader, p))
        for p in pictures[::READ_EVERY]
    ]
    frames = to_unit(pictures)
    return {
        "fidelity": float(np.mean(seen)),
        "clip_t": text_fidelity(judges, frames, scene.prompt),
        "consistency": temporal_consistency(judges, frames),
        "amplitude": amplitude(track_toy(judges, reader, frames)),
    }


def amplitude(track: np.ndarray) -> float:
    """How far a toy's track `[f, 4]` (x, bottom, height, turn) spreads, in its own heights; 0 if it is hardly seen."""
    if len(track) < 2:
        return 0.0
    x, bottom, height, _ = track.T
    return float((np.ptp(x) + np.ptp(bottom) + np.ptp(height)) / np.median(height))


def compare_clips(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> dict[str, dict]:
    """For each figure ours, theirs, and the difference of the pairs with its interval."""
    rows = {}
    for name in ours[0]:
        own, other = (np.array([row[name] for row in rows_]) for rows_ in (ours, theirs))
        chosen = np.random.default_rng(0).integers(len(own), size=(DRAWS, len(own)))
        difference = own - other
        rows[name] = {
            "ours": summarise(own, chosen),
            "peer": summarise(other, chosen),
            "difference": summarise(difference, chosen),
        }
    return rows


def summarise(values: np.ndarray, chosen: np.ndarray) -> dict:
    """Their mean and its 95% bootstrap interval by the drawn rows `[draws, n]`."""
    return with_interval(values.mean(), values[chosen].mean(1), len(values))
