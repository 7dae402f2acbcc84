"""Does the motion of a clip arrive at the subjects, and do its looks stay away? On drawn references, whose path is known exactly."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from vd_core.metrics.fidelity import SubjectReference, assign, crop_boxes, detect, match_frames, score_frames
from vd_core.metrics.intervals import DRAWS, with_interval
from vd_core.metrics.motion_path import path_correlation
from vd_core.studies.toys import Jury
from vd_core.toybox.reading.reader import ATTRIBUTES, IDENTITY_SIZE
from vd_core.toybox.world.paths import draw_along, path_of
from vd_core.toybox.world.scenes import Scene, Toy

SURE = 0.2
"""A detection that the reader gives a kind with less is not that toy."""
FIGURES = ("path", "own", "identity", "leak", "absent")


@dataclass(frozen=True)
class Drawn:
    """One reference: its path's name, each kind's looks, the place and a seed."""

    path: str
    toys: dict[str, tuple[str, str, str]]
    place: str
    seed: int


@dataclass(frozen=True)
class Plan:
    """benchmarks/motion.yaml."""

    subjects: dict[str, str]
    action: str
    places: list[str]
    seeds: list[int]
    num_inference_steps: int
    references: list[Drawn]


def load_plan(path: Path) -> Plan:
    """Read the plan."""
    content = yaml.safe_load(path.read_text())
    references = [
        Drawn(r["path"], {k: tuple(looks) for k, looks in r["toys"].items()}, r["place"], r["seed"]) for r in content["references"]
    ]
    return Plan(**{**content, "references": references})


def draw_reference(drawn: Drawn) -> np.ndarray:
    """The reference clip, uint8 RGB `[f, SIZE, SIZE, 3]`: both toys on the same path, side by side."""
    columns = (np.arange(len(drawn.toys)) + 0.5) / len(drawn.toys) * 0.84 + 0.08
    toys = [Toy(kind, *looks, x=float(x), ground=0.9, size=0.4) for x, (kind, looks) in zip(columns, drawn.toys.items(), strict=True)]
    return draw_along(Scene(tuple(toys), drawn.place, drawn.seed), path_of(drawn.path))


@torch.no_grad()
def track(jury: Jury, frames: torch.Tensor, kinds: list[str]) -> tuple[dict[str, np.ndarray], dict[str, list[str]]]:
    """Of frames `[f, 3, h, w]` in 0..1, each kind's middle `[f, 2]` in pixels (NaN where it is not found) and the colors that were read."""
    columns = [ATTRIBUTES["kind"].index(kind) for kind in kinds]
    middles, colors = {k: np.full((len(frames), 2), np.nan) for k in kinds}, {k: [] for k in kinds}
    for f, (frame, found) in enumerate(zip(frames, detect(jury.judges, frames), strict=True)):
        if not len(found["boxes"]):
            continue
        read = jury.reader.read_toys(crop_boxes(frame, found["boxes"], IDENTITY_SIZE))
        sure, boxes = read["kind"].softmax(1)[:, columns].numpy(), found["boxes"].numpy()
        for d, k in zip(*assign(sure), strict=True):
            if sure[d, k] >= SURE:
                middles[kinds[k]][f] = (boxes[d, :2] + boxes[d, 2:]) / 2
                colors[kinds[k]].append(ATTRIBUTES["colour"][int(read["colour"][d].argmax())])
    return middles, colors


def draw_truth(drawn: Drawn, looks: dict[str, tuple[str, str, str]], place: str, seed: int) -> torch.Tensor:
    """The world's own drawing of toys of those `looks` on a reference's path, in 0..1 `[f, 3, h, w]`: what is read in it is the ceiling."""
    return torch.from_numpy(draw_reference(Drawn(drawn.path, looks, place, seed))).permute(0, 3, 1, 2).float() / 255


def judge_clip(jury: Jury, frames: torch.Tensor, plan: Plan, drawn: Drawn, known: list[SubjectReference]) -> list[dict[str, Any]]:
    """A row a subject: `path`, and of its frames the shares in its `own` color, in one of the reference's (`leak`), and without it (`absent`).

    `identity` is the DINO score, the frames' mean, 0 where a subject is missing: `own` asks for the main one of two colors alone.
    """
    kinds, foreign = list(plan.subjects), {looks[0] for looks in drawn.toys.values()}
    middles, colors = track(jury, frames, kinds)
    identity = np.nan_to_num(score_frames(match_frames(jury.judges, frames, known))).mean(0)
    rows = []
    for kind, likeness in zip(kinds, identity, strict=True):
        read = colors[kind]
        rows.append(
            {
                "kind": kind,
                "path": path_correlation(middles[kind], path_of(drawn.path) * [1, -1]),  # pictures count downwards
                "own": float(np.mean([c == plan.subjects[kind] for c in read])) if read else 0.0,
                "identity": float(likeness),
                "leak": float(np.mean([c in foreign for c in read])) if read else 0.0,
                "absent": 1 - len(read) / len(frames),
            }
        )
    return rows


def summarise_arms(rows: dict[str, list[list[dict[str, Any]]]]) -> dict[str, Any]:
    """Every arm's figures, and those of the swap less every other arm's, with intervals over references: `rows[arm][reference]` are its clips'.

    An arm may have the first references alone; it is compared with the swap on those.
    """
    means = {arm: np.array([[np.mean([r[f] for r in own]) for f in FIGURES] for own in references]) for arm, references in rows.items()}
    report: dict[str, Any] = {arm: describe(values) for arm, values in means.items()}
    others = {f"swap - {arm}": means["swap"][: len(values)] - values for arm, values in means.items() if arm != "swap"}
    return report | {"differences": {name: describe(values) for name, values in others.items()}}


def describe(values: np.ndarray) -> dict[str, Any]:
    """Means over references `[n, figures]` with their intervals."""
    chosen = np.random.default_rng(0).integers(len(values), size=(DRAWS, len(values)))
    draws = values[chosen].mean(1)
    return {figure: with_interval(values[:, i].mean(), draws[:, i], len(values)) for i, figure in enumerate(FIGURES)}
