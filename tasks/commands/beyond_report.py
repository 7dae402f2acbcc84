"""What `make beyond` writes: metrics/beyond.json, and the tables in docs/regions.md and the README."""

import json
from collections.abc import Container
from pathlib import Path
from typing import Any

import numpy as np

from tasks.shared.documents import as_table, fill_table
from tasks.studies.beyond import ALONE, CEILINGS, CODED, LED, PLACED, PLAIN
from vd_core.files import write_json
from vd_core.metrics.intervals import DRAWS, with_interval
from vd_core.studies.beyond import ARMS, Plan, Rows

OUT, DOCUMENT, README = Path("metrics/beyond.json"), Path("docs/regions.md"), Path("README.md")
OF_CROWDS = ("bound", "present", "binding", "fidelity")
GOALS = {
    "three_bound": 0.8,
    "four_bound": 0.5,
    "six_present": 0.5,
    "own_action": 0.75,
    "own_attribute": 0.75,
    "event_order": 0.9,
    "event_steadier": -0.05,
    "long_drift": 0.95,
    "zero_motion": 0.8,
}
BEYOND = {"own_action": (LED, ALONE), "event_order": (ALONE,), "event_steadier": (ALONE,), "zero_motion": (ALONE,)}
"""Of figures of pairs the arms that go beyond, the first that was measured; for the others regions, events and the clip's motion, as toys that stand in no study said."""
Found = dict[str, dict[str, list[list[float]]]]
"""Each figure's values by arm, a list a combination."""


def is_of_crowds(figure: str) -> bool:
    """Whether a figure is one of crowds, and not of pairs."""
    return figure.split("_")[-1] in OF_CROWDS


def collect(found: dict[str, dict[str, dict[str, Rows]]], plan: Plan) -> Found:
    """The figures' values from the rows of those combinations that were run."""
    figures: Found = {}
    for name in (n for n in plan.crowds if n in found):
        size = name.split("-")[0]
        for arm, rows in found[name]["crowd"].items():
            for figure in (f for f in OF_CROWDS if all(f in row for row in rows)):
                figures.setdefault(f"{size}_{figure}", {}).setdefault(arm, []).append([r[figure] for r in rows])
    for name in (n for n in plan.pairs if n in found):
        for kind, arms in found[name].items():
            for arm, rows in arms.items():
                figures.setdefault(kind, {}).setdefault(arm, []).append([r[kind] for r in rows])
                if all("steadier" in r for r in rows):
                    figures.setdefault("event_steadier", {}).setdefault(arm, []).append([r["steadier"] for r in rows])
    return figures


def describe(values: list[list[float]]) -> dict[str, Any]:
    """The mean over combinations with its interval: combinations are drawn whole, since one finetuning's pictures are alike; `n` of them."""
    means = np.array([np.mean(own) for own in values])
    chosen = np.random.default_rng(0).integers(len(means), size=(DRAWS, len(means)))
    return {**with_interval(means.mean(), means[chosen].mean(1), len(means)), "samples": sum(map(len, values))}


def build_report(figures: Found) -> dict[str, Any]:
    """By figure that plain VideoDreamer was measured for: the `value`, `ci95` and `n`, `plain`, the `goal`, and every arm."""
    report = {}
    for figure, arms in ((name, own) for name, own in figures.items() if PLAIN in own):
        described = {arm: describe(values) for arm, values in arms.items()}
        goal = {"goal": GOALS[figure]} if figure in GOALS else {}
        report[figure] = {**described[beyond_arm(figure, described)], "plain": described[PLAIN], **goal, "arms": described}
    return report


def beyond_arm(figure: str, arms: Container[str]) -> str:
    """The arm that is held against plain VideoDreamer; one that was not measured yet gives way to what was before it."""
    if is_of_crowds(figure):
        return ALONE if ALONE in arms else "regions in training"
    return next((arm for arm in BEYOND.get(figure, ()) if arm in arms), PLACED)


def crowds_table(report: dict[str, Any]) -> str:
    """docs/regions.md's table of crowds: a row an arm."""
    sizes = list(dict.fromkeys(f.split("_")[0] for f in report if is_of_crowds(f)))
    figures = [f for size in sizes for figure in OF_CROWDS if (f := f"{size}_{figure}") in report]
    own = [report[f]["arms"] for f in figures]
    rows = [[arm, *(cell(arms[arm]) if arm in arms else "" for arms in own)] for arm in (*ARMS, *CEILINGS, CODED)]
    return as_table(["", *(f.replace("_", " ") for f in figures)], rows)


def pairs_table(report: dict[str, Any]) -> str:
    """docs/regions.md's table of pairs: a row a figure, with its ceilings where they were measured."""
    rows = []
    for figure in (f for f in GOALS if f in report and not is_of_crowds(f)):
        own = report[figure]
        measured = [cell(own["arms"][arm]) if arm in own["arms"] else "" for arm in (PLAIN, PLACED, ALONE, LED)]
        ceilings = [cell(own["arms"][c]) if c in own["arms"] else "" for c in CEILINGS]
        rows.append([f"`{figure}`", *measured, f"{GOALS[figure]:g}", *ceilings])
    return as_table(["", "plain VideoDreamer", "regions, events, motion", ALONE, LED, "wanted", *CEILINGS], rows)


def cell(figure: dict[str, Any]) -> str:
    """A figure with its interval."""
    low, high = figure["ci95"]
    return f"{figure['value']:.2f} ({low:.2f} to {high:.2f})"


def write_report(figures: Found) -> None:
    """metrics/beyond.json and the tables, with these figures anew; those of the other part stay."""
    before = json.loads(OUT.read_text()) if OUT.exists() else {}
    report = before | build_report(figures)
    write_json(OUT, report)
    if any(is_of_crowds(f) for f in report):
        fill_table(DOCUMENT, "crowds", crowds_table(report))
    if not all(is_of_crowds(f) for f in report):
        for document in (DOCUMENT, README):
            fill_table(document, "beyond", pairs_table(report))
