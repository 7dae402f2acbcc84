"""A study's figures, a row a clip, and what is shown of it: collected from the results of its units."""

import json
import shutil
from pathlib import Path
from typing import Any

from tasks.studies.given import open_pictures
from tasks.studies.scoring import FIGURES, missing_scores
from tasks.studies.store import TIMING, clip_path, placed, score_path
from tasks.studies.units import Clips, Finetuning, Video
from vd_core.errors import InputError
from vd_core.files import write_json

RUNS = Path("runs/studies")
Rows = list[dict[str, Any]]
PLACE = ("combination", "training_seed", "subjects", "method", "generator", "prompt", "kind", "seed", "score")
"""What a row says besides its figures: where it stands in the study, and the key of its score."""
SHOWN = 2
"""Prompts of each kind whose clips are shown."""


def cell_folder(study: str, variant: str, combination: str) -> Path:
    """Where a cell's figures are, and the clips of its first seeds."""
    return RUNS / study / "cells" / variant / combination


def collect(study: str, units: list[Clips], store: Path) -> Path:
    """Write `figures.json`, `clips/` and `given/` of the cell whose units these are; its folder. InputError if clips are missing."""
    first = units[0]
    if missing := sum(len(missing_scores(u, store)) for u in units):
        raise InputError(
            f"{missing} clips of {first.variant} on {first.combination} are not done: run the study again, it goes on where it stopped"
        )
    target = cell_folder(study, first.variant, first.combination)
    shutil.rmtree(target, ignore_errors=True)
    with placed(target) as folder:
        rows = [row for unit in units for row in read_rows(unit, store)]
        (folder / "clips").mkdir(parents=True)
        copy_clips(units, shown_prompts(rows), folder / "clips", store)
        save_given(first.finetuning, folder / "given")
        write_json(folder / "figures.json", rows)
    return target


def save_given(finetuning: Finetuning, folder: Path) -> None:
    """The first of each subject's pictures."""
    folder.mkdir()
    for name, own in zip(finetuning.subjects, open_pictures(finetuning.subjects, finetuning.sections), strict=True):
        own[0].save(folder / f"{name}.png")


def read_rows(unit: Clips, store: Path) -> Rows:
    """The figures of a unit's clips, each with its place in the study."""
    return [read_scored(unit, video, store) for video in unit.videos]


def read_scored(unit: Clips, video: Video, store: Path) -> dict[str, Any]:
    """The figures of one of a unit's clips, with its place in the study (the keys of PLACE)."""
    values = (
        unit.combination,
        unit.training_seed,
        len(unit.finetuning.subjects),
        unit.finetuning.sections.finetune.method,
        unit.generator,
        video.prompt,
        video.kind,
        video.number,
        video.score,
    )
    return {**dict(zip(PLACE, values, strict=True)), **json.loads((score_path(store, video.score) / FIGURES).read_text())}


def shown_prompts(rows: Rows) -> list[str]:
    """The prompts that are shown: the first SHOWN of each kind, in the rows' order."""
    kinds: dict[str, list[str]] = {}
    for row in rows:
        own = kinds.setdefault(row["kind"], [])
        if row["prompt"] not in own:
            own.append(row["prompt"])
    return [prompt for own in kinds.values() for prompt in own[:SHOWN]]


def copy_clips(units: list[Clips], prompts: list[str], folder: Path, store: Path) -> None:
    """The frames of the first seed's clips, in folders named by generator and the prompt's number among those that are shown.

    A clip whose figures came from another machine has none.
    """
    for unit in units:
        if unit.training_seed != units[0].training_seed:
            continue
        for video in (v for v in unit.videos if v.number == 0 and v.prompt in prompts and clip_path(store, v.key).exists()):
            target = folder / unit.generator / f"{prompts.index(video.prompt):02d}"
            shutil.copytree(clip_path(store, video.key), target, ignore=shutil.ignore_patterns(TIMING))


def read_study(study: str, cells: list[tuple[str, str]]) -> dict[str, Rows]:
    """The rows of every variant, in the order of `cells` (variant, combination); InputError if a cell is not there."""
    table: dict[str, Rows] = {}
    for variant, combination in cells:
        path = cell_folder(study, variant, combination) / "figures.json"
        if not path.is_file():
            raise InputError(f"{path} is missing; run the study: python -m flows.benchmark run --profile {study.split('-')[1]}")
        table.setdefault(variant, []).extend(json.loads(path.read_text()))
    return table
