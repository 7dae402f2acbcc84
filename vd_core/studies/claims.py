"""The paper's claims C1 to C11 (those that single pictures can show) held against rows of figures: difference, interval, verdict."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

DRAWS = 2000
COMPARABLE = 0.03
"""Two mean CLIP-T are comparable when they surely differ by less than this cosine; set before anything was measured."""

Rows = list[dict[str, Any]]
Table = dict[str, Rows]
"""The rows of every variant, in one order of combination, prompt and seed."""


@dataclass(frozen=True)
class Claim:
    """What the paper says, and the difference that is above zero where it holds."""

    text: str
    difference: Callable[[Table], float]
    subjects: int | None = None  # on combinations of so many alone


def mean(rows: Rows, figure: str) -> float:
    """The mean of one figure."""
    return float(np.mean([row[figure] for row in rows]))


def of(rows: Rows, subjects: int) -> Rows:
    """The rows of combinations of so many subjects."""
    return [row for row in rows if row["subjects"] == subjects]


PEERS = ("dreambooth", "custom_diffusion", "svdiff")


def stitch_claims(figure: str) -> dict[str, Claim]:
    """The claims about seams, by one figure."""

    def rise(t: Table, method: str, over: str) -> float:
        return mean(t[method], figure) - mean(t[over], figure)

    return {
        "C6": Claim(
            "SVDiff has the highest stitch score, DreamBooth and VideoDreamer low ones",
            lambda t: min(rise(t, "svdiff", m) for m in ("disen_mix", "dreambooth")),
        ),
        "C7": Claim(
            "VideoDreamer's stitch score rises from two to three subjects",
            lambda t: mean(of(t["disen_mix"], 3), figure) - mean(of(t["disen_mix"], 2), figure),
        ),
        "C8": Claim(
            "HLR lowers the stitch score of three subjects",
            lambda t: mean(of(t["disen_mix"], 3), figure) - mean(of(t["disen_mix_hlr"], 3), figure),
            subjects=3,
        ),
        "C9": Claim(
            "without P_N or without f_j stitches rise",
            lambda t: min(rise(t, v, "disen_mix") for v in ("without_stitch_prompt", "without_visual_embedding")),
        ),
    }


CLAIMS: dict[str, Claim] = {
    "C1": Claim(
        "VideoDreamer has the highest subject fidelity",
        lambda t: mean(t["disen_mix"], "fidelity") - max(mean(t[p], "fidelity") for p in PEERS),
    ),
    "C2": Claim(
        "SVDiff has the lowest CLIP-T",
        lambda t: min(mean(t[m], "text_fidelity") for m in ("disen_mix", *PEERS[:2])) - mean(t["svdiff"], "text_fidelity"),
    ),
    "C3": Claim(
        "VideoDreamer's CLIP-T is comparable to DreamBooth's and Custom Diffusion's",
        lambda t: COMPARABLE - max(abs(mean(t["disen_mix"], "text_fidelity") - mean(t[p], "text_fidelity")) for p in PEERS[:2]),
    ),
    **stitch_claims("stitched"),
    "C10": Claim(
        "without f_j CLIP-T falls",
        lambda t: mean(t["disen_mix"], "text_fidelity") - mean(t["without_visual_embedding"], "text_fidelity"),
    ),
    "C11": Claim(
        "without L3 subject fidelity falls",
        lambda t: mean(t["disen_mix"], "fidelity") - mean(t["without_weak_denoising"], "fidelity"),
    ),
    **{f"{name} bare": claim for name, claim in stitch_claims("stitched_bare").items()},
}


def resample(table: Table, rng: np.random.Generator) -> Table:
    """A bootstrap draw of pictures, the same for every variant (pairs stay pairs), within two and within three subjects each."""
    first = next(iter(table.values()))
    groups = [[i for i, row in enumerate(first) if row["subjects"] == n] for n in sorted({row["subjects"] for row in first})]
    chosen = np.concatenate([rng.choice(group, len(group)) for group in groups])
    return {variant: [rows[i] for i in chosen] for variant, rows in table.items()}


def judge_claims(table: Table) -> dict[str, dict[str, Any]]:
    """`verdict`, `difference`, its 95% bootstrap interval `ci95` and the pictures `n` a variant, of every claim."""
    rng = np.random.default_rng(0)
    draws = [resample(table, rng) for _ in range(DRAWS)]
    verdicts = {}
    for name, claim in CLAIMS.items():
        low, high = np.percentile([claim.difference(draw) for draw in draws], [2.5, 97.5])
        verdict = "reproduced" if low > 0 else "not reproduced" if high < 0 else "not separable"
        rows = next(iter(table.values()))
        n = len(of(rows, claim.subjects)) if claim.subjects else len(rows)
        numbers = {"difference": round(claim.difference(table), 4), "ci95": [round(float(low), 4), round(float(high), 4)]}
        verdicts[name] = {"claim": claim.text, "verdict": verdict, **numbers, "n": n}
    return verdicts


def summarise(table: Table, figures: tuple[str, ...]) -> dict[str, dict[str, dict[str, Any]]]:
    """Every variant's figures: `value`, `ci95`, `n`."""
    rng = np.random.default_rng(0)
    draws = [resample(table, rng) for _ in range(DRAWS)]
    summary: dict[str, dict[str, dict[str, Any]]] = {}
    for variant, rows in table.items():
        summary[variant] = {}
        for figure in figures:
            low, high = np.percentile([mean(draw[variant], figure) for draw in draws], [2.5, 97.5])
            interval = [round(float(low), 4), round(float(high), 4)]
            summary[variant][figure] = {"value": round(mean(rows, figure), 4), "ci95": interval, "n": len(rows)}
    return summary
