"""Units of work as whoever distributes them calls them: by name, with plain values, one thread each."""

import os
from pathlib import Path
from typing import Literal

import torch
from pydantic import TypeAdapter

from tasks.shared.command import silence_libraries
from tasks.studies.finetuning import finetune
from tasks.studies.rendering import missing_clips, render
from tasks.studies.scoring import missing_scores, score
from tasks.studies.store import finetuning_path
from tasks.studies.units import Clips

Work = Literal["finetune", "render", "score"]
UNIT = TypeAdapter(Clips)


def work_left(unit: Clips, store: Path) -> tuple[Work, ...]:
    """What of a unit is still to be done, in its order."""
    steps: list[Work] = ["score"] if missing_scores(unit, store) else []
    if steps and missing_clips(unit, store):
        steps.insert(0, "render")
        if not finetuning_path(store, unit.finetuning.key).exists():
            steps.insert(0, "finetune")
    return tuple(steps)


def as_text(unit: Clips) -> str:
    """A unit as it travels: JSON, so that a scheduler on its way need not import what computes it."""
    return UNIT.dump_json(unit).decode()


def work(what: Work, text: str, store: str, folder: str) -> None:
    """Do one part of the unit in `as_text` form in the project's `folder`."""
    os.chdir(folder)
    do(what, UNIT.validate_json(text), Path(store))


def do(what: Work, unit: Clips, store: Path) -> None:
    """Do one part of a unit, on one thread: sums in another order are other figures."""
    silence_libraries()
    torch.set_num_threads(1)
    if what == "finetune":
        finetune(unit.finetuning, store)
    else:
        {"render": render, "score": score}[what](unit, store)
