"""`python -m tasks.commands.precision`: what frozen weights in bfloat16 cost on held-out toys → metrics/precision.json, docs/evidence.md.

Disen-Mix finetuning on the embedded base as it is, and on the same base with weights rounded to bfloat16; all else is equal and in float32.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from tasks.shared.command import silence_libraries
from tasks.shared.documents import as_table, fill_table
from tasks.shared.paths import CACHE
from tasks.studies.figures import Rows, read_rows
from tasks.studies.plan import Study, plan_study
from tasks.studies.running import do, work_left
from tasks.studies.store import STORE
from tasks.studies.units import list_units, merge_study
from vd_core.files import write_json
from vd_core.metrics.intervals import DRAWS, interval_of_smallest, resample
from vd_core.studies.claims import Table
from vd_core.studies.rounded import round_weights
from vd_core.studies.verdicts import as_array, design_of, noise_of, strata_of, summarise

OUT, DOCUMENT = Path("metrics/precision.json"), Path("docs/evidence.md")
COMBINATIONS = 3
FIGURES = ("subject_fidelity", "binding", "text_fidelity")
VARIANT = "disen_mix"


def compare(table: Table) -> dict[str, dict[str, Any]]:
    """Each figure's difference, bfloat16 less float32, with the 95% interval of paired draws; and the two means."""
    design, means = design_of(table), summarise(table, FIGURES)
    taken, strata = resample(design, DRAWS), strata_of(design, design.strata > 0)
    report = {}
    for figure in FIGURES:
        one, other = (as_array(table[v], figure) for v in ("float32", "bf16"))
        drawn = taken.means(other - one, noise_of(table["bf16"])).mean(-1)
        ci95 = interval_of_smallest(drawn[None], design.spread(strata))
        report[figure] = {v: means[v][figure]["value"] for v in table} | {"difference": round(float((other - one).mean()), 4), "ci95": ci95}
    return report


def plan_precision(folder: Path) -> Study:
    """Disen-Mix on the evidence's first combinations, one finetuning each, on the base in `folder`."""
    study = plan_study("toybox", "pictures")
    cells = tuple(c for c in study.cells if c.name == VARIANT)[:COMBINATIONS]
    said = tuple(p for p in study.prompts if p.kind != "bare")
    return replace(study, cells=cells, prompts=said, training_seeds=(0,), overrides={"source": {"pipeline": {"path": str(folder)}}})


def measure(study: Study) -> Rows:
    """The rows of a study, which is run as far as it has not been."""
    units = list_units(study)
    for unit in units:
        for what in work_left(unit, STORE):
            do(what, unit, STORE)
    return [row for unit in units for row in read_rows(unit, STORE)]


def main() -> None:
    """Measure it."""
    silence_libraries()
    base = Path(merge_study("toybox", {}, 2, 0).source.pipeline.path)
    rounded = CACHE / "precision" / "base"
    round_weights(base, rounded)
    studies = {"float32": plan_precision(base), "bf16": plan_precision(rounded)}
    table = {precision: measure(study) for precision, study in studies.items()}
    report = compare(table)
    write_json(OUT, {"combinations": studies["bf16"].combinations, "pictures": len(table["bf16"]), "figures": report})
    lines = [
        [
            figure.replace("_", " "),
            f"{row['float32']:.3f}",
            f"{row['bf16']:.3f}",
            "{:+.3f} ({:+.3f}, {:+.3f})".format(row["difference"], *row["ci95"]),
        ]
        for figure, row in report.items()
    ]
    fill_table(DOCUMENT, "precision", as_table(["", "float32", "frozen in bfloat16", "difference (95% interval)"], lines))
    print(OUT.read_text())


if __name__ == "__main__":
    typer.run(main)
