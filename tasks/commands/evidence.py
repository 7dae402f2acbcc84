"""The paper's claims held against the studies `pictures` and `clips`, from their figures alone → metrics/evidence.json, docs/evidence.md and its contact sheet."""

from collections import Counter
from pathlib import Path
from typing import Any

import typer
from PIL import Image

from tasks.shared.documents import as_table, fill_table
from tasks.shared.exits import leave
from tasks.studies.figures import RUNS, cell_folder, read_study
from tasks.studies.plan import Study, plan_study
from tasks.studies.report import as_markdown
from tasks.studies.rows import read_kept, rows_path
from vd_core.errors import InputError
from vd_core.files import write_json
from vd_core.inputs.pictures import labelled_sheet
from vd_core.studies.claims import BARE, METHODS, PICTURES, Table
from vd_core.studies.paper_tables import build_tables
from vd_core.studies.verdicts import judge_claims, summarise, text_by_background

OUT, DOCUMENT, SHEET = Path("metrics/evidence.json"), Path("docs/evidence.md"), Path("docs/evidence.png")
CLAIM_COLUMNS = ("difference (95% interval)", "detectable", "resampled", "combinations, finetunings, pictures or clips")
FIGURES = ("subject_fidelity", "missing_rate", "absent", "binding", "full_binding", "blend", "text_fidelity", "stitch_score")
SHOWN = 3
"""Pairs on the contact sheet, and triples."""


def read_rows(study: Study) -> Table:
    """A study's rows by variant, from the cells that have run here; where none has, those that git keeps."""
    if not (RUNS / study.name / "cells").is_dir():
        return read_kept(rows_path(study.name))
    return read_study(study.name, [(c.name, c.combination) for c in study.cells])


def read_clips() -> Table:
    """The rows of the study of clips; none, and a line that says so, if it has not run: then what only clips show is left out."""
    try:
        return read_rows(plan_study("toybox", "clips"))
    except InputError as error:
        print(f"without clips, so without C4, C5 and the paper's tables: {error}")
        return {}


def join(*tables: Table) -> Table:
    """The rows of several studies, one behind the other."""
    return {v: [row for table in tables for row in table.get(v, [])] for v in dict.fromkeys(v for table in tables for v in table)}


def summarise_pictures(table: Table) -> dict[str, dict[str, dict[str, Any]]]:
    """Every variant's figures over the pictures whose prompts say something, and `stitch_score_bare` over the bare ones."""
    said, bare = summarise(PICTURES.of(table), FIGURES), summarise(BARE.of(table), ("stitch_score",))
    return {v: {**own, "stitch_score_bare": bare[v]["stitch_score"]} for v, own in said.items()}


def count_fixed(study: Study) -> dict[str, int]:
    """By pair: how many of its subjects have given pictures before one and the same background."""
    return {
        c.combination: sum(getattr(about, "background", None) is not None for _, about in c.subjects.values())
        for c in study.cells
        if len(c.subjects) == 2
    }


def backgrounds_table(found: dict[str, dict[str, list[float]]]) -> str:
    """docs/evidence.md's table of `text_by_background`: a row a method, three columns a generator."""
    heads = [f"{g.replace('_', ' ')}: {n}" for g in found for n in range(3)]
    rows = [[m.replace("_", " "), *(f"{value:.2f}" for own in found.values() for value in own[m])] for m in METHODS]
    return as_table(["", *heads], rows)


def write_document(report: dict[str, Any], whole: Table) -> None:
    """The tables between docs/evidence.md's markers; the paper's from the `whole` of pictures and clips, not without clips."""
    fill_table(DOCUMENT, "backgrounds", backgrounds_table(report["text_by_background"]))
    figures = [
        [v.replace("_", " "), *(f"{f['value']:.3f} ({f['ci95'][0]:.2f}, {f['ci95'][1]:.2f})" for f in own.values())]
        for v, own in report["variants"].items()
    ]
    names = [f.replace("_", " ") for f in next(iter(report["variants"].values()))]
    fill_table(DOCUMENT, "table", as_table(["", *names], figures))
    fill_table(
        DOCUMENT, "claims", as_table(["claim", "the paper", "here", *CLAIM_COLUMNS], [claim_line(*c) for c in report["claims"].items()])
    )
    if whole:
        fill_table(DOCUMENT, "paper", f"\n{as_markdown([t for t in build_tables(whole, {}) if t.rows])}\n")


def claim_line(name: str, c: dict[str, Any]) -> list[str]:
    """A claim's line of the table."""
    counts = ", ".join(str(n) for n in c["n"].values())
    if "bound" in c:
        found = [f"{c['difference']:+.3f}: both sides within {c['bound']:.3f} of the same end", "", ""]
    else:
        resampled = ", ".join(f"{subjects}: {level}" for subjects, level in c["resampled"].items())
        low, high = c["ci95"]
        found = [f"{c['difference']:+.3f} ({low:+.3f}, {high:+.3f})", f"{c['detectable']:.3f}", resampled]
    return [name, c["claim"], f"**{c['verdict']}**", *found, counts]


def save_sheet(study: Study) -> None:
    """The given subjects, and under each variant's name a row of it: of some pairs and triples the first picture of each of the prompts that a cell keeps.

    White where a variant has none. The combinations that most variants have come first. Nothing is drawn where the study has not run, as in a clone.
    """
    if not (RUNS / study.name / "cells").is_dir():
        return
    sizes, variants = {c.combination: len(c.subjects) for c in study.cells}, dict.fromkeys(c.name for c in study.cells)
    common = Counter(c.combination for c in study.cells)
    combinations = [c for size in (2, 3) for c in sorted((n for n in sizes if sizes[n] == size), key=lambda n: -common[n])[:SHOWN]]
    columns = {c: max(len(kept_pictures(study, v, c)) for v in variants) for c in combinations}
    groups = {"given": [p for c in combinations for p in fill_row(given_pictures(study, c), columns[c])]}
    groups |= {v.replace("_", " "): [p for c in combinations for p in fill_row(kept_pictures(study, v, c), columns[c])] for v in variants}
    labelled_sheet(groups, columns=sum(columns.values()), tile=64).quantize(128).save(SHEET, optimize=True)


def fill_row(pictures: list[Path], count: int) -> list[Image.Image]:
    """The first `count` pictures from their files, and white ones for those that lack."""
    own = [Image.open(p).convert("RGB") for p in pictures[:count]]
    return own + [Image.new("RGB", (64, 64), "white")] * (count - len(own))


def given_pictures(study: Study, combination: str) -> list[Path]:
    """The first of each subject's given pictures, from a cell that keeps them."""
    cells = (cell_folder(study.name, c.name, combination) for c in study.cells if c.combination == combination)
    return next((found for cell in cells if (found := sorted((cell / "given").glob("*.png")))), [])


def kept_pictures(study: Study, variant: str, combination: str) -> list[Path]:
    """The first of every second prompt's pictures that a cell keeps."""
    return sorted((cell_folder(study.name, variant, combination) / "clips" / "pictures").glob("*/000.png"))[::2]


def main() -> None:
    """Hold the paper's claims against pictures and clips of held-out toys that the studies have made."""
    pictures = plan_study("toybox", "pictures")
    try:
        table = read_rows(pictures)
    except InputError as error:
        leave(f"error: {error}", 1)
    moving = read_clips()
    whole = join(table, moving)
    report = {
        "claims": judge_claims(whole),
        "variants": summarise_pictures(table),
        "text_by_background": text_by_background(whole, count_fixed(pictures)),
    }
    write_json(OUT, report)
    write_document(report, whole if moving else {})
    save_sheet(pictures)
    print(DOCUMENT.read_text())


if __name__ == "__main__":
    typer.run(main)
