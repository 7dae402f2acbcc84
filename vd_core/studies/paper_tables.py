"""The paper's Tables I to V from a study's figures alone (arXiv:2311.00990, section IV), in its form, and one of what it does not measure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Rows = list[dict[str, Any]]
Table = Mapping[str, Rows]
"""The rows of every variant, a clip each: its figures, `generator`, `combination` and how many `subjects` that has."""

PAPER = {
    "subject_fidelity": "DINO ↑",
    "text_fidelity": "CLIP-T ↑",
    "temporal_consistency": "Temp. Consist. ↑",
    "stitch_score": "Stitch Score ↓",
}
MORE = {"motion_smoothness": "motion ↑", "aesthetic_quality": "aesthetic ↑", "imaging_quality": "imaging ↑"}
OURS = {
    "missing_rate": "missing ↓",
    "identity_margin": "identity margin ↑",
    "collapse_rate": "collapse ↓",
    "motion_amplitude": "motion amplitude",
    "binding": "binding ↑",
    "blend": "blend ↓",
    "action_binding": "action binding ↑",
}
METHODS = {"dreambooth": "DreamBooth", "custom_diffusion": "Custom Diffusion", "svdiff": "SVDiff", "disen_mix": "VideoDreamer"}
BASES = {"text2video_zero": "T2V", "animatediff": "AD"}
SHOWN = {"text2video_zero": "T2V", "pictures": "single pictures"}
SIZES = {"2-sbj": 2, "3-sbj": 3, "Avg.": None}
NOTHING = "–"


@dataclass(frozen=True)
class PaperTable:
    """One table: what it shows, its head, and its rows, the first cell of which is a name."""

    number: str
    title: str
    head: list[str]
    rows: list[list[str]]


def mean_of(rows: Rows, figure: str, keep: Callable[[dict[str, Any]], bool]) -> float | None:
    """The mean of a figure over the clips that are kept and have it; None if there are none."""
    values = [row[figure] for row in rows if keep(row) and row.get(figure) is not None]
    return float(np.mean(values)) if values else None


def means_of(table: Table) -> dict[str, dict[str, dict[str, float]]]:
    """Every figure's mean over all clips that have it, to four places, by variant and generator."""
    figures = dict.fromkeys(name for rows in table.values() for row in rows for name, v in row.items() if isinstance(v, float))
    means: dict[str, dict[str, dict[str, float]]] = {}
    for variant, rows in table.items():
        for generator in dict.fromkeys(row["generator"] for row in rows):
            own = {f: mean_of(rows, f, lambda r, g=generator: r["generator"] == g) for f in figures}
            means.setdefault(variant, {})[generator] = {f: round(m, 4) for f, m in own.items() if m is not None}
    return means


def build_tables(table: Table, ranks: Mapping[str, float]) -> list[PaperTable]:
    """All tables; `ranks` are people's mean ranks by variant, if there are any. A table whose variants were not run has no rows."""
    return [
        main_table(table),
        compared("II", "HLR", table, {"disen_mix": "w/o HLR", "disen_mix_hlr": "w/ HLR"}),
        compared("III", "the weak denoising loss", table, {"without_weak_denoising": "w/o L3", "disen_mix": "VideoDreamer"}),
        compared(
            "IV",
            "the disentangled embeddings",
            table,
            {"without_stitch_prompt": "w/o P_N", "without_visual_embedding": "w/o f_j", "disen_mix": "VideoDreamer"},
        ),
        more_table("V", "more metrics", table, MORE, {"human rank ↓": ranks}),
        more_table("VI", "what the paper does not measure", table, OURS, {}),
    ]


def main_table(table: Table) -> PaperTable:
    """Table I: every metric over pairs, over triples and over all clips; of each generator the best average is bold, the second underlined."""
    head = ["", *(f"{name} {size}" for name in PAPER.values() for size in SIZES)]
    rows = []
    for generator in BASES:
        names = [m for m in METHODS if any(r["generator"] == generator for r in table.get(m, []))]
        columns = [main_column(table, names, generator, figure, size) for figure in PAPER for size in SIZES.values()]
        rows += [[f"{METHODS[m]}+{BASES[generator]}", *(column[i] for column in columns)] for i, m in enumerate(names)]
    return PaperTable("I", "VideoDreamer and the baselines", head, rows)


def main_column(table: Table, names: list[str], generator: str, figure: str, size: int | None) -> list[str]:
    """One metric of all methods on one generator; averages are marked."""
    means = [mean_of(table[m], figure, lambda r: r["generator"] == generator and size in (None, r["subjects"])) for m in names]
    return mark(means, PAPER[figure].endswith("↓")) if size is None else [as_text(m) for m in means]


def mark(means: list[float | None], lower: bool) -> list[str]:
    """The values as text, the best bold and the second underlined; equal ones alike."""
    shown = [as_text(m) for m in means]
    order = sorted({round(m, 3) for m in means if m is not None}, reverse=not lower)
    marks = {f"{value:.3f}": form for value, form in zip(order, ("**{}**", "<u>{}</u>"), strict=False)}
    return [marks.get(text, "{}").format(text) for text in shown]


def as_text(mean: float | None) -> str:
    """A mean to three places."""
    return NOTHING if mean is None else f"{mean:.3f}"


def compared(number: str, title: str, table: Table, names: Mapping[str, str]) -> PaperTable:
    """Tables II to IV: variants on the combinations of the one that has the fewest; no rows unless all were run.

    Of clips by Text2Video-Zero, as the paper's, or where these were not run of single pictures whose prompts say something.
    """
    head = ["", *PAPER.values()]
    for generator, said in SHOWN.items():
        own = shared_rows(
            {name: [r for r in table.get(name, []) if r["generator"] == generator and r.get("kind") != "bare"] for name in names}
        )
        if all(own.values()):
            rows = [[name, *(as_text(mean_of(own[n], f, lambda row: True)) for f in PAPER)] for n, name in names.items()]
            first = own[next(iter(names))]
            sizes = " or ".join(sorted({str(row["subjects"]) for row in first}))
            count = len({row["combination"] for row in first})
            return PaperTable(number, f"{title}: {count} combinations of {sizes} subjects, {said}", head, rows)
    return PaperTable(number, title, head, [])


def shared_rows(table: dict[str, Rows]) -> dict[str, Rows]:
    """The rows of the combinations that all variants have."""
    shared = set.intersection(*({row["combination"] for row in rows} for rows in table.values()))
    return {name: [row for row in rows if row["combination"] in shared] for name, rows in table.items()}


def more_table(number: str, title: str, table: Table, figures: Mapping[str, str], others: Mapping[str, Mapping[str, float]]) -> PaperTable:
    """Tables V and VI: averages over all clips of a method on a generator, and what comes from elsewhere by method."""
    rows = []
    for generator, base in BASES.items():
        for method, name in METHODS.items():
            own = [row for row in table.get(method, []) if row["generator"] == generator]
            if own:
                values = [mean_of(own, figure, lambda row: True) for figure in figures]
                rows.append([f"{name}+{base}", *map(as_text, [*values, *(o.get(method) for o in others.values())])])
    return PaperTable(number, title, ["", *figures.values(), *others], rows)
