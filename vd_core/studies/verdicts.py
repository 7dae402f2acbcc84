"""Claims held against rows of figures: difference, interval, verdict; and the variants' figures with their intervals."""

from collections.abc import Hashable
from statistics import mean
from typing import Any

import numpy as np

from vd_core.metrics.intervals import DRAWS, POWER, Design, Resampling, bound_of_zeros, interval_of_smallest, resample
from vd_core.studies.claims import CLAIMS, METHODS, TEXT, Claim, Rows, Table

Means = dict[str, np.ndarray]
"""Every variant's mean of one figure on each combination, `[c]`, or that of each bootstrap draw, `[draws, c]`."""


def noise_of(rows: Rows) -> Hashable:
    """Where a variant's training noise comes from. Variants of one method (the ablations, HLR) with the same training seeds share it."""
    return rows[0]["method"], tuple(dict.fromkeys(row["training_seed"] for row in rows))


def as_array(rows: Rows, figure: str) -> np.ndarray:
    """One figure of a variant, `[combinations, finetunings, pictures]`; ValueError unless the rows are as a Table's."""
    combinations, seeds = (list(dict.fromkeys(row[key] for row in rows)) for key in ("combination", "training_seed"))
    finetunings = [(c, s) for c in combinations for s in seeds]
    pictures = len(rows) // len(finetunings)
    if [(row["combination"], row["training_seed"]) for row in rows] != [f for f in finetunings for _ in range(pictures)]:
        raise ValueError("a variant's rows are all training seeds of one combination after the other, with as many pictures of each")
    return np.reshape([row[figure] for row in rows], (len(combinations), len(seeds), pictures))


def design_of(table: Table) -> Design:
    """What was measured of the table's variants; ValueError unless their combinations and pictures are the same."""
    arrays = {v: as_array(rows, "subjects") for v, rows in table.items()}
    if len({(tuple(dict.fromkeys(row["combination"] for row in rows)), arrays[v].shape[2]) for v, rows in table.items()}) > 1:
        raise ValueError("variants are compared on the same combinations and pictures")
    first = next(iter(arrays.values()))
    return Design(first[:, 0, 0], {noise_of(table[v]): a.shape[1] for v, a in arrays.items()}, first.shape[2])


def sides_of(claim: Claim, means: Means, strata: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The means `[variants, ...]` of the two sides' variants over their combinations."""
    above, below = (np.stack([means[v][..., side.covers(strata)].mean(-1) for v in side.variants]) for side in claim.sides)
    return above, below


def contrasts_of(claim: Claim, above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Every variant of `above` less every one of `below`, `[m, ...]`, from means `[variants, ...]`. The smallest is the difference."""
    gaps = np.concatenate(above[:, None] - below)
    return gaps if claim.margin is None else claim.margin - np.concatenate([gaps, -gaps])


def is_stuck(claim: Claim, above: np.ndarray, below: np.ndarray) -> bool:
    """Whether both sides of a difference stand at the floor, or both at the ceiling, of their figure (0 to 1)."""
    return claim.margin is None and (above.min(), below.max()) in ((0, 0), (1, 1))


def count(rows: Rows, covered: np.ndarray) -> dict[str, int]:
    """How many `combinations` (those `covered` `[c]`), `finetunings` and `pictures` a variant has."""
    _, k, p = as_array(rows, "subjects").shape
    combinations = int(covered.sum())
    return {"combinations": combinations, "finetunings": combinations * k, "pictures": combinations * k * p}


def strata_of(design: Design, covered: np.ndarray) -> list[int]:
    """The numbers of subjects of the combinations that are `covered` `[c]`."""
    return np.unique(design.strata[covered]).tolist()


def resampled(design: Design, strata: list[int]) -> dict[str, str]:
    """The level that is drawn for each number of subjects. An interval is conditional on the levels above it, of which there is one."""
    return {f"{s} subjects": design.unit(s)[0] for s in strata}


def judge(claim: Claim, table: Table, design: Design, taken: Resampling) -> dict[str, Any]:
    """The `verdict` on a claim, and what it rests on.

    `difference` and its 95% interval `ci95`, from draws of what `resampled` names; `detectable`: the difference that is found four times in
    five with this standard error; `n`: what a variant has, the one that has the fewest.

    "reproduced", "refuted": the interval lies above zero, below it. "not separable below x": neither, and x is `detectable`. "cannot show
    here": both sides stand at the floor (no seam in any of their pictures), or both at the ceiling, where no draw differs: `bound`, in
    place of an interval, says how far from there the rates may be (one-sided 95%). Its n is that of the finetunings: zeros do not tell how
    alike the pictures of one finetuning are, so they count as one.

    `table` has the rows of the claim's view alone. ValueError if it lacks a variant, or the number of subjects, that the claim needs.
    """
    check(claim, table, design)
    arrays = {v: as_array(table[v], claim.figure) for side in claim.sides for v in side.variants}
    above, below = sides_of(claim, {v: a.mean((1, 2)) for v, a in arrays.items()}, design.strata)
    counts = [count(table[v], side.covers(design.strata)) for side in claim.sides for v in side.variants]
    n = min(counts, key=lambda c: c["finetunings"])
    about = {"claim": claim.text, "difference": round(float(contrasts_of(claim, above, below).min()), 4), "n": n}
    if is_stuck(claim, above, below):
        return {**about, "verdict": "cannot show here", "bound": round(bound_of_zeros(n["finetunings"]), 4)}
    drawn = sides_of(claim, {v: taken.means(a, noise_of(table[v])) for v, a in arrays.items()}, design.strata)
    contrasts = contrasts_of(claim, *drawn)
    strata = strata_of(design, claim.above.covers(design.strata) | claim.below.covers(design.strata))
    spread = design.spread(strata)
    detectable, ci95 = POWER * spread.factor * float(contrasts.min(0).std()), interval_of_smallest(contrasts, spread)
    found = {"verdict": verdict_of(*ci95, detectable), "ci95": ci95, "detectable": round(detectable, 4)}
    return {**about, **found, "resampled": resampled(design, strata)}


def check(claim: Claim, table: Table, design: Design) -> None:
    """ValueError if a table has not what a claim needs."""
    for side in claim.sides:
        if missing := [v for v in side.variants if v not in table]:
            raise ValueError(f"'{claim.text}' needs the variant {missing[0]}: put it under the plan's `variants`")
        if not side.covers(design.strata).any():
            raise ValueError(f"'{claim.text}' needs a combination of {side.subjects} subjects: put one under the plan's `combinations`")


def verdict_of(low: float, high: float, detectable: float) -> str:
    """What the interval of a difference says of a claim."""
    return "reproduced" if low > 0 else "refuted" if high < 0 else f"not separable below {detectable:.3f}"


def judge_claims(table: Table) -> dict[str, dict[str, Any]]:
    """The verdict on every claim whose pictures or clips the table has, each on the combinations that all of its variants have."""
    seen = {view: view.of(table) for view in dict.fromkeys(claim.view for claim in CLAIMS.values())}
    verdicts = {}
    for name, claim in CLAIMS.items():
        if rows := seen[claim.view]:
            own = in_common(claim, rows)
            design = design_of(own)
            verdicts[name] = judge(claim, own, design, resample(design, DRAWS))
    return verdicts


def in_common(claim: Claim, table: Table) -> Table:
    """The rows of a claim's variants on the combinations that all of them have: ablations may have some only. ValueError if it lacks a variant."""
    names = dict.fromkeys(v for side in claim.sides for v in side.variants)
    if missing := [v for v in names if v not in table]:
        raise ValueError(f"'{claim.text}' needs the variant {missing[0]}: put it under the plan's `variants`")
    shared = set.intersection(*({row["combination"] for row in table[v]} for v in names))
    if not shared:
        raise ValueError("variants are compared on the same combinations, and these share none")
    return {v: [row for row in table[v] if row["combination"] in shared] for v in names}


def summarise(table: Table, figures: tuple[str, ...]) -> dict[str, dict[str, dict[str, Any]]]:
    """Every variant's figures over all of its combinations: `value`, `ci95`, `n`, and the levels that were `resampled`."""
    return {variant: summarise_variant({variant: rows}, figures) for variant, rows in table.items()}


def summarise_variant(table: Table, figures: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """The same of the one variant of a table."""
    (rows,), design = table.values(), design_of(table)
    taken, everything = resample(design, DRAWS), np.full(len(design.strata), True)
    strata, summary = strata_of(design, everything), {}
    about = {"n": count(rows, everything), "resampled": resampled(design, strata)}
    for figure in figures:
        values = as_array(rows, figure)
        drawn = taken.means(values, noise_of(rows)).mean(-1)
        ci95 = interval_of_smallest(drawn[None], design.spread(strata))
        summary[figure] = {"value": round(float(values.mean()), 4), "ci95": ci95, **about}
    return summary


def text_by_background(table: Table, fixed: dict[str, int]) -> dict[str, dict[str, list[float]]]:
    """CLIP-T of the pairs by generator and method: the mean where none, one and two of the subjects have one background. Bare prompts say no place."""
    found: dict[str, dict[str, list[float]]] = {}
    for generator in dict.fromkeys(row["generator"] for rows in table.values() for row in rows):
        for method in METHODS:
            rows = [r for r in table[method] if r["generator"] == generator and r["kind"] != "bare" and r["combination"] in fixed]
            own = ([r[TEXT] for r in rows if fixed[r["combination"]] == n] for n in range(3))
            found.setdefault(generator, {})[method] = [round(mean(values), 4) for values in own]
    return found
