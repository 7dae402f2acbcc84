"""How learning rates and steps are chosen: every variant at its rates on the tuning's combinations, and at more until the best lies inside; then at some numbers of steps."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tasks.shared.documents import as_table, fill_table
from tasks.studies.figures import read_study
from tasks.studies.plan import Rates, Steps, Study
from vd_core.files import write_json
from vd_core.studies.verdicts import summarise

REPORT, STEPS_REPORT, DOCUMENT = Path("metrics/evidence_tuning.json"), Path("metrics/evidence_steps.json"), Path("docs/evidence.md")
CHOSEN_BY = ("subject_fidelity", "binding", "text_fidelity")
"""A learning rate, or a number of steps, is chosen by the mean of these."""
Tried = dict[str, dict[str, float]]
"""CHOSEN_BY and their `mean`, by "variant-rate", or "variant-steps"."""


def widen(rates: list[float], means: list[float]) -> list[float]:
    """The rates (ascending) with one more, as far away as the next, on the side where the best of their `means` lies at the edge; else the same."""
    best = means.index(max(means))
    if best == 0:
        return [float(f"{rates[0] ** 2 / rates[1]:.1g}"), *rates]
    if best == len(rates) - 1:
        return [*rates, float(f"{rates[-1] ** 2 / rates[-2]:.1g}")]
    return rates


def read_tried(study: Study) -> Tried:
    """What a tuning's study found."""
    found = summarise(read_study(study.name, [(c.name, c.combination) for c in study.cells]), CHOSEN_BY)
    rows = {name: {k: f["value"] for k, f in figures.items()} for name, figures in found.items()}
    return {name: {**row, "mean": round(sum(row.values()) / len(row), 4)} for name, row in rows.items()}


def widen_all(rates: Rates, tried: Tried) -> Rates:
    """The rates to try next; the same if every variant's best lies inside."""
    return {v: widen(own, [tried[f"{v}-{rate:g}"]["mean"] for rate in own]) for v, own in rates.items()}


def write_tuning(rates: Rates, tried: Tried) -> dict[str, float]:
    """metrics/evidence_tuning.json and the table in docs/evidence.md; the rate that is chosen of each variant."""
    return write_choice(rates, tried, REPORT, "tuning", "learning rate")


def write_steps(steps: Steps, tried: Tried) -> dict[str, float]:
    """metrics/evidence_steps.json and the table in docs/evidence.md; the number of steps that is best of each variant."""
    return write_choice(steps, tried, STEPS_REPORT, "steps", "steps")


def write_choice(values: Mapping[str, Sequence[float]], tried: Tried, report: Path, marker: str, head: str) -> dict[str, float]:
    """A file and a table of what was tried; the value of each variant whose mean is the greatest."""
    chosen = {v: max(own, key=lambda value, v=v: tried[f"{v}-{value:g}"]["mean"]) for v, own in values.items()}
    rows = [(v, value) for v, own in values.items() for value in own]
    write_json(report, {f"{v}-{value:g}": {**tried[f"{v}-{value:g}"], "chosen": value == chosen[v]} for v, value in rows})
    lines = []
    for v, value in rows:
        cells = [v.replace("_", " "), f"{value:g}", *(f"{figure:.3f}" for figure in tried[f"{v}-{value:g}"].values())]
        lines.append([f"**{c}**" for c in cells] if value == chosen[v] else cells)
    fill_table(DOCUMENT, marker, as_table(["method", head, *(f.replace("_", " ") for f in CHOSEN_BY), "mean"], lines))
    return chosen
