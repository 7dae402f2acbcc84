"""`make beyond`: regions, more subjects, events and motion from a clip against plain VideoDreamer → metrics/beyond.json, docs/regions.md, README."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Literal

import typer

from tasks.commands.beyond_picture import SHOWN, save_picture
from tasks.commands.beyond_report import OUT, collect, write_report
from tasks.shared.code import hash_code
from tasks.shared.cores import usable_cores
from tasks.shared.exits import leave
from tasks.studies.beyond import (
    ALONE,
    ARMS_OF_PAIRS,
    CEILINGS,
    CODED,
    OF_PAIRS,
    PLAIN,
    Combination,
    key_of_crowd,
    place_of,
    run_combination,
)
from tasks.studies.rows import read_kept, rows_path, write_rows
from tasks.studies.units import merge_study
from vd_core.files import fingerprint_of, sha256_of
from vd_core.studies.beyond import ARMS, Rows, load_plan

PLAN = Path("benchmarks/beyond.yaml")
Measured = dict[str, dict[str, dict[str, Rows]]]
"""Rows by combination, figure's kind and arm."""


def show(crowds: list[Combination]) -> None:
    """docs/alone.png of crowds that were drawn plainly and alone first."""
    sheets = [
        [place_of(key_of_crowd(own, arm, own.train(arm))).with_suffix(".jpg") for own in crowds] for arm in (ARMS[PLAIN], ARMS[ALONE])
    ]
    save_picture([own.toys for own in crowds], *sheets)


def keep_rows(found: Measured) -> Measured:
    """What was measured into the file of rows, where other figures, combinations and arms stay; all that the file has then."""
    path = rows_path("beyond")
    kept = read_kept(path) if path.is_file() else {}
    kept |= {f"{name}, {figure}, {arm}": rows for name, own in found.items() for figure, arms in own.items() for arm, rows in arms.items()}
    write_rows(kept, path)
    whole: Measured = {}
    for group, rows in read_kept(path).items():
        name, figure, arm = group.split(", ", 2)
        whole.setdefault(name, {}).setdefault(figure, {})[arm] = rows
    return whole


def main(
    part: Annotated[
        Literal["all", "crowds", "pairs"], typer.Option(help="pictures of crowds, pictures and clips of pairs, or both")
    ] = "all",
    only: Annotated[
        str | None, typer.Option(help="combinations whose names begin so; their figures are printed, no file is written")
    ] = None,
    figure: Annotated[list[str] | None, typer.Option(help="figures of pairs to measure anew; the others stay")] = None,
    arm: Annotated[list[str] | None, typer.Option(help="arms or ceilings to measure anew; the others stay")] = None,
) -> None:
    """Measure what goes beyond the paper on held-out toys, one process a core."""
    if unknown := set(figure or ()) - set(OF_PAIRS):
        leave(f"error: --figure {min(unknown)} is no figure of pairs; choose from {', '.join(OF_PAIRS)}", 1)
    named = list(dict.fromkeys([*ARMS, *ARMS_OF_PAIRS, *CEILINGS, CODED]))
    if unknown := set(arm or ()) - set(named):
        leave(f"error: --arm '{min(unknown)}' is no arm; choose from {', '.join(named)}", 1)
    plan, base = load_plan(PLAN), Path(merge_study("toybox", {}, 2, 0).source.pipeline.path)
    files = {str(p): sha256_of(p) for p in sorted(base.rglob("*.safetensors"))}
    weights = fingerprint_of({"code": hash_code("tasks.studies.beyond"), **files}, [])
    wanted = {"crowds": plan.crowds, "pairs": plan.pairs, "all": plan.crowds | plan.pairs}[part]
    chosen = {n: t for n, t in wanted.items() if n.startswith(only or "")}
    with ProcessPoolExecutor(len(usable_cores()), get_context("spawn")) as pool:
        combinations = {name: Combination(base, plan, name, toys, weights) for name, toys in chosen.items()}
        jobs = {name: pool.submit(run_combination, own, figure or list(OF_PAIRS), arm) for name, own in combinations.items()}
        found = {name: job.result() for name, job in jobs.items()}
    if only:
        return
    write_report(collect(keep_rows(found), plan))
    if part != "pairs" and not arm:
        show([combinations[name] for name in SHOWN])
    print(OUT.read_text())


if __name__ == "__main__":
    typer.run(main)
