"""`make beyond`: regions, more subjects, events and motion from a clip against plain VideoDreamer → metrics/beyond.json, docs/regions.md, README."""

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import typer

from tasks.shared.command import silence_libraries
from tasks.shared.documents import as_table, fill_table
from tasks.shared.params import Merged
from tasks.shared.paths import CACHE
from tasks.studies.code import hash_code
from tasks.studies.units import merge_study
from vd_core.files import fingerprint_of, sha256_of, write_json
from vd_core.metrics.intervals import DRAWS, with_interval
from vd_core.settings import Sampling
from vd_core.studies.beyond import ARMS, Arm, Plan, Rows, Trained, draw_truth, finetune, load_plan, read_crowd, run_crowd, run_known
from vd_core.studies.beyond_clips import run_actions, run_events, run_long, run_zero_motion
from vd_core.studies.toys import Toys, load_jury

PLAN, OUT, DOCUMENT = Path("benchmarks/beyond.yaml"), Path("metrics/beyond.json"), Path("docs/regions.md")
README = Path("README.md")
PLAIN, BEST, PLACED = "plain", "regions in training", "regions"
IN_CLIPS = {PLAIN: ARMS[PLAIN], PLACED: Arm("strips", True, True)}
"""What clips of pairs compare: VideoDreamer's own finetuning, said in one sentence, and with regions, events and the clip's motion."""
CEILINGS = ("known colors, not finetuned", "the world's drawings")
CLIPS: dict[str, Callable[..., Rows]] = {
    "own_action": run_actions,
    "event_order": run_events,
    "long_drift": run_long,
    "zero_motion": run_zero_motion,
}
GOALS = {
    "three_bound": 0.8,
    "four_bound": 0.5,
    "six_present": 0.5,
    "own_action": 0.75,
    "event_order": 0.9,
    "long_drift": 0.95,
    "zero_motion": 0.8,
}
Found = dict[str, dict[str, list[list[float]]]]
"""Each figure's values by arm, a list a combination."""


def keep(key: dict[str, Any], make: Callable[[Path], Rows]) -> Rows:
    """What `make` finds, kept under all that decides it: a run that was ended goes on. `make` takes a path for a contact sheet."""
    place = CACHE / "beyond" / fingerprint_of(key, [])[:16]
    if not place.with_suffix(".json").exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        write_json(place.with_suffix(".json"), {"key": key, "rows": make(place.with_suffix(".jpg"))})
    return json.loads(place.with_suffix(".json").read_text())["rows"]


def settings_of(merged: Merged, trained: Trained) -> Any:
    """The preset's finetuning, through regions where that is wanted."""
    own = merged.finetune
    return replace(own, disen_mix=replace(own.disen_mix, regions=trained == "regions"))


def train_once(base: Path, plan: Plan, toys: Toys, trained: Trained, weights: str) -> Path:
    """The folder of a finetuning's weights, made unless they stand. `weights` is a hash of the base's and of the code."""
    merged = merge_study("toybox", {}, len(toys), plan.training_seed)
    settings, cutouts = settings_of(merged, trained), 0 if trained == "strips" else plan.cutouts
    about = {"settings": asdict(settings), "strips": merged.mix.count, "cutouts": cutouts, "toys": toys, "weights": weights}
    target = CACHE / "beyond" / "finetunings" / fingerprint_of(about, [])[:16]
    if not (target / "done").exists():
        target.mkdir(parents=True, exist_ok=True)
        finetune(base, load_jury(base), toys, settings, merged.mix.count, cutouts, target)
        shutil.rmtree(target / "progress", ignore_errors=True)
        (target / "done").touch()
    return target


def run_combination(base: Path, plan: Plan, name: str, toys: Toys, weights: str) -> dict[str, dict[str, Rows]]:
    """All rows of one crowd or pair: by figure's kind and arm."""
    torch.set_num_threads(1)
    silence_libraries()
    jury, sampling = load_jury(base), merge_study("toybox", {}, len(toys), plan.training_seed).sampling
    quick = Sampling(plan.num_inference_steps, sampling.guidance_scale)
    about = {"plan": {k: v for k, v in asdict(plan).items() if k not in ("crowds", "pairs")}, "toys": toys, "weights": weights}
    crowd = name in plan.crowds
    rows: dict[str, dict[str, Rows]] = {"crowd": {}} if crowd else {kind: {} for kind in CLIPS}
    for label, arm in (ARMS if crowd else IN_CLIPS).items():
        folder = train_once(base, plan, toys, arm.trained, weights)
        key = {**about, "arm": asdict(arm), "finetuning": folder.name}
        if crowd:
            draw = partial(run_crowd, base, jury, toys, plan, arm, sampling.guidance_scale, folder)
            rows["crowd"][label] = keep({**key, "kind": "crowd"}, draw)
            continue
        for kind, run in CLIPS.items():
            rows[kind][label] = keep({**key, "kind": kind}, partial(run, base, jury, toys, plan, arm, quick, folder))
        print(f"{name} {label}: " + ", ".join(f"{k} {np.mean([r[k] for r in own[label]]):.2f}" for k, own in rows.items()), flush=True)
    if crowd:
        known, drawn = CEILINGS
        rows["crowd"][known] = keep({**about, "kind": known}, lambda _: run_known(base, jury, toys, plan, sampling.guidance_scale))
        rows["crowd"][drawn] = keep({**about, "kind": drawn}, lambda _: read_crowd(jury, draw_truth(toys, plan.pictures), toys))
        said = ", ".join(f"{arm} {np.mean([r['bound'] for r in own]):.2f}" for arm, own in rows["crowd"].items())
        print(f"{name} bound: {said}", flush=True)
    return rows


def collect(found: dict[str, dict[str, dict[str, Rows]]], plan: Plan) -> Found:
    """The figures' values from the rows of those combinations that were run."""
    figures: Found = {}
    for name in (n for n in plan.crowds if n in found):
        size = name.split("-")[0]
        for arm, rows in found[name]["crowd"].items():
            for figure in ("bound", "present"):
                figures.setdefault(f"{size}_{figure}", {}).setdefault(arm, []).append([r[figure] for r in rows])
    for name in (n for n in plan.pairs if n in found):
        for kind, arms in found[name].items():
            for arm, rows in arms.items():
                figures.setdefault(kind, {}).setdefault(arm, []).append([r[kind] for r in rows])
    return figures


def describe(values: list[list[float]]) -> dict[str, Any]:
    """The mean over combinations with its interval: combinations are drawn whole, since one finetuning's pictures are alike; `n` of them."""
    means = np.array([np.mean(own) for own in values])
    chosen = np.random.default_rng(0).integers(len(means), size=(DRAWS, len(means)))
    return {**with_interval(means.mean(), means[chosen].mean(1), len(means)), "samples": sum(map(len, values))}


def build_report(figures: Found) -> dict[str, Any]:
    """By figure: the `value`, `ci95` and `n`, `plain` (VideoDreamer's own), the `goal`, and every arm."""
    report = {}
    for figure, arms in figures.items():
        described = {arm: describe(values) for arm, values in arms.items()}
        goal = {"goal": GOALS[figure]} if figure in GOALS else {}
        report[figure] = {**described[PLACED if figure in CLIPS else BEST], "plain": described[PLAIN], **goal, "arms": described}
    return report


def crowds_table(report: dict[str, Any]) -> str:
    """docs/regions.md's table of crowds: a row an arm."""
    figures = [f for f in report if f.endswith(("_bound", "_present"))]
    rows = [[arm, *(cell(report[f]["arms"][arm]) for f in figures)] for arm in (*ARMS, *CEILINGS)]
    return as_table(["", *(f.replace("_", " ") for f in figures)], rows)


def clips_table(report: dict[str, Any]) -> str:
    """docs/regions.md's table of clips: a row a figure."""
    rows = [[f"`{f}`", cell(report[f]["plain"]), cell(report[f]), f"{GOALS[f]:g}"] for f in CLIPS if f in report]
    return as_table(["", "plain VideoDreamer", "beyond", "wanted"], rows)


def cell(figure: dict[str, Any]) -> str:
    """A figure with its interval."""
    low, high = figure["ci95"]
    return f"{figure['value']:.2f} ({low:.2f} to {high:.2f})"


def write_report(figures: Found) -> None:
    """metrics/beyond.json and the tables, with these figures anew; those of the other part stay."""
    before = json.loads(OUT.read_text()) if OUT.exists() else {}
    report = before | build_report(figures)
    write_json(OUT, report)
    if any(f.endswith("_bound") for f in report):
        fill_table(DOCUMENT, "crowds", crowds_table(report))
    if any(f in report for f in CLIPS):
        for document in (DOCUMENT, README):
            fill_table(document, "beyond", clips_table(report))


def main(
    part: Annotated[Literal["all", "crowds", "pairs"], typer.Option(help="pictures of crowds, clips of pairs, or both")] = "all",
    only: Annotated[
        str | None, typer.Option(help="combinations whose names begin so; their figures are printed, no file is written")
    ] = None,
) -> None:
    """Measure what goes beyond the paper on held-out toys, one process a core."""
    plan, base = load_plan(PLAN), Path(merge_study("toybox", {}, 2, 0).source.pipeline.path)
    files = {str(p): sha256_of(p) for p in sorted(base.rglob("*.safetensors"))}
    weights = fingerprint_of({"code": hash_code("tasks.commands.beyond"), **files}, [])
    wanted = {"crowds": plan.crowds, "pairs": plan.pairs, "all": plan.crowds | plan.pairs}[part]
    chosen = {n: t for n, t in wanted.items() if n.startswith(only or "")}
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), get_context("spawn")) as pool:
        jobs = {name: pool.submit(run_combination, base, plan, name, toys, weights) for name, toys in chosen.items()}
        found = {name: job.result() for name, job in jobs.items()}
    if only:
        return
    write_report(collect(found, plan))
    print(OUT.read_text())


if __name__ == "__main__":
    typer.run(main)
