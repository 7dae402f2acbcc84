"""What `make beyond` computes: finetunings, and the rows of every arm, each kept under all that decides it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from tasks.shared.command import silence_libraries
from tasks.shared.params import Merged
from tasks.shared.paths import CACHE
from tasks.studies.units import merge_study
from vd_core.files import fingerprint_of, write_json
from vd_core.settings import Sampling
from vd_core.studies.beyond import ARMS, Arm, Plan, Rows, Trained, draw_truth, finetune, pass_through, read_crowd, run_crowd, run_known
from vd_core.studies.beyond_attributes import read_drawn_attributes, run_attributes
from vd_core.studies.beyond_clips import run_actions, run_events, run_long, run_zero_motion
from vd_core.studies.beyond_drawn import read_drawn_actions, read_drawn_events
from vd_core.studies.beyond_picks import refinetune
from vd_core.studies.toys import Jury, Toys, load_jury

T = TypeVar("T")
PLAIN, PLACED, ALONE, LED = "plain", "regions", "each drawn alone first", "led by their words"
CEILINGS = ("known colors, not finetuned", "the world's drawings")
CODED = "the same, through the autoencoder"
"""A third ceiling, of crowds: small toys lose most there."""
ARMS_OF_PAIRS = {PLAIN: ARMS[PLAIN], PLACED: Arm("strips", True, True), ALONE: ARMS[ALONE], LED: replace(ARMS[ALONE], led=True)}
"""What pictures and clips of pairs compare: VideoDreamer's own finetuning, said in one sentence; with regions, events and the clip's motion; from subjects drawn alone first;
and these in boxes that go as their words say."""
ONLY = {ALONE: ("own_action", "own_attribute", "event_order", "zero_motion"), LED: ("own_action",)}
"""Figures of pairs that the last two arms are measured for: of 64 frames the first would be drawn three times, and words lead actions alone."""
OF_PAIRS: dict[str, Callable[..., Rows]] = {
    "own_action": run_actions,
    "own_attribute": run_attributes,
    "event_order": run_events,
    "long_drift": run_long,
    "zero_motion": run_zero_motion,
}
DRAWN: dict[str, Callable[[Jury, Toys, Plan], Rows]] = {
    "own_action": read_drawn_actions,
    "own_attribute": read_drawn_attributes,
    "event_order": read_drawn_events,
}
"""Figures with ceilings: what the jury reads in the world's own drawings; the other one is the base's, of toys that it knows by their colors."""


def place_of(key: dict[str, Any]) -> Path:
    """Where rows (.json) and a contact sheet (.jpg) are kept, under all that decides them."""
    return CACHE / "beyond" / fingerprint_of(key, [])[:16]


def keep(key: dict[str, Any], make: Callable[[Path], Rows]) -> Rows:
    """What `make` finds, kept under all that decides it: a run that was ended goes on. `make` takes a path for a contact sheet."""
    place = place_of(key)
    if not place.with_suffix(".json").exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        write_json(place.with_suffix(".json"), {"key": key, "rows": make(place.with_suffix(".jpg"))})
    return json.loads(place.with_suffix(".json").read_text())["rows"]


def settings_of(merged: Merged, trained: Trained) -> Any:
    """The preset's finetuning, through regions where that is wanted; on picks as many steps as HLR has."""
    own = merged.finetune
    if trained == "picks":
        return replace(own, schedule=replace(own.schedule, steps=merged.hlr.steps))
    return replace(own, disen_mix=replace(own.disen_mix, regions=trained == "regions"))


def train_once(base: Path, plan: Plan, toys: Toys, trained: Trained, weights: str) -> Path:
    """The folder of a finetuning's weights, made unless they stand. `weights` is a hash of the base's and of the code."""
    merged = merge_study("toybox", {}, len(toys), plan.training_seed)
    settings, strips, cutouts = settings_of(merged, trained), merged.mix.count, plan.cutouts if trained in ("cutouts", "regions") else 0
    about = {"settings": asdict(settings), "strips": strips, "cutouts": cutouts, "toys": toys, "weights": weights}
    if trained != "picks":
        return place_once(about, lambda target: finetune(base, load_jury(base), toys, settings, strips, cutouts, target))
    before, sampling = train_once(base, plan, toys, "strips", weights), Sampling(plan.num_inference_steps, merged.sampling.guidance_scale)
    about |= {"before": before.name, "candidates": plan.candidates, "picks": plan.picks, "sampling": asdict(sampling)}
    return place_once(about, lambda target: refinetune(base, load_jury(base), toys, settings, plan, sampling, before, target))


def place_once(about: dict[str, Any], train: Callable[[Path], None]) -> Path:
    """The folder that `train` fills with weights, unless all that decides them is as it was."""
    target = CACHE / "beyond" / "finetunings" / fingerprint_of(about, [])[:16]
    if not (target / "done").exists():
        target.mkdir(parents=True, exist_ok=True)
        train(target)
        shutil.rmtree(target / "progress", ignore_errors=True)
        (target / "done").touch()
    return target


@dataclass(frozen=True)
class Combination:
    """A crowd or a pair that is measured on the base in `folder`; `weights` is a hash of the base's and of the code."""

    folder: Path
    plan: Plan
    name: str
    toys: Toys
    weights: str

    @property
    def about(self) -> dict[str, Any]:
        """What decides all of its rows."""
        plan = {k: v for k, v in asdict(self.plan).items() if k not in ("crowds", "pairs")}
        return {"plan": plan, "toys": self.toys, "weights": self.weights}

    def train(self, arm: Arm) -> Path:
        """The folder of an arm's finetuning."""
        return train_once(self.folder, self.plan, self.toys, arm.trained, self.weights)


def run_combination(own: Combination, figures: list[str], arms: list[str] | None) -> dict[str, dict[str, Rows]]:
    """All rows of one crowd, or of one pair's `figures`: by figure's kind and arm; only those of `arms`, if it names some."""
    torch.set_num_threads(1)
    silence_libraries()
    sampling = merge_study("toybox", {}, len(own.toys), own.plan.training_seed).sampling
    quick, jury = Sampling(own.plan.num_inference_steps, sampling.guidance_scale), load_jury(own.folder)
    if own.name in own.plan.crowds:
        return {"crowd": run_arms(own, jury, quick, arms)}
    return {figure: run_figure(own, jury, quick, figure, arms) for figure in figures}


def chosen_of(wanted: dict[str, T], arms: list[str] | None) -> dict[str, T]:
    """Those of the wanted arms, or ceilings, that are to be measured."""
    return {label: own for label, own in wanted.items() if not arms or label in arms}


def run_arms(own: Combination, jury: Jury, sampling: Sampling, arms: list[str] | None) -> dict[str, Rows]:
    """The rows of a crowd's arms and ceilings."""
    rows: dict[str, Rows] = {}
    for label, arm in chosen_of(ARMS, arms).items():
        folder = own.train(arm)
        draw = partial(run_crowd, own.folder, jury, own.toys, own.plan, arm, sampling, folder)
        rows[label] = keep(key_of_crowd(own, arm, folder), draw)
    known, drawn = CEILINGS
    ceilings: dict[str, Callable[[Path], Rows]] = {
        known: lambda _: run_known(own.folder, jury, own.toys, own.plan, sampling),
        drawn: lambda _: read_crowd(jury, draw_truth(own.toys, own.plan.pictures), own.toys),
        CODED: lambda _: read_crowd(jury, pass_through(own.folder, draw_truth(own.toys, own.plan.pictures)), own.toys),
    }
    rows |= {label: keep({**own.about, "kind": label}, draw) for label, draw in chosen_of(ceilings, arms).items()}
    return say(own.name, "bound", rows)


def key_of_crowd(own: Combination, arm: Arm, finetuning: Path) -> dict[str, Any]:
    """What decides the pictures of an arm."""
    return {**own.about, "arm": asdict(arm), "finetuning": finetuning.name, "kind": "crowd"}


def run_figure(own: Combination, jury: Jury, sampling: Sampling, figure: str, arms: list[str] | None) -> dict[str, Rows]:
    """One figure's rows of a pair's arms, and of its ceilings where it has some."""
    rows: dict[str, Rows] = {}
    own_arms = {label: arm for label, arm in ARMS_OF_PAIRS.items() if figure in ONLY.get(label, OF_PAIRS)}
    for label, arm in chosen_of(own_arms, arms).items():
        folder = own.train(arm)
        draw = partial(OF_PAIRS[figure], own.folder, jury, own.toys, own.plan, arm, sampling, folder)
        rows[label] = keep({**own.about, "arm": asdict(arm), "finetuning": folder.name, "kind": figure}, draw)
    ceilings = ceilings_of(own, jury, sampling, figure) if figure in DRAWN else {}
    rows |= {label: keep({**own.about, "kind": f"{figure}, {label}"}, draw) for label, draw in chosen_of(ceilings, arms).items()}
    return say(own.name, figure, rows)


def ceilings_of(own: Combination, jury: Jury, sampling: Sampling, figure: str) -> dict[str, Callable[[Path], Rows]]:
    """What makes the rows of a figure's two ceilings, by their names."""
    known, drawn = CEILINGS
    return {
        known: partial(OF_PAIRS[figure], own.folder, jury, own.toys, own.plan, ARMS_OF_PAIRS[PLACED], sampling, None),
        drawn: lambda _: DRAWN[figure](jury, own.toys, own.plan),
    }


def say(name: str, figure: str, rows: dict[str, Rows]) -> dict[str, Rows]:
    """Print a figure's means by arm."""
    print(f"{name} {figure}: " + ", ".join(f"{arm} {np.mean([r[figure] for r in own]):.2f}" for arm, own in rows.items()), flush=True)
    return rows
