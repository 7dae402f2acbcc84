"""What people's rankings say: mean ranks with intervals, and whether people agree (Kendall's W)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import chi2

from vd_core.metrics.intervals import DRAWS, with_interval


@dataclass(frozen=True)
class Rankings:
    """Rank 1 (best) to n of the `methods` [n]: `ranks` `[answers, n]`, each answer by one of the `people` `[answers]` about one question."""

    methods: tuple[str, ...]
    people: tuple[str, ...]
    ranks: np.ndarray


def mean_ranks(rankings: Rankings) -> dict[str, dict[str, Any]]:
    """Each method's mean rank, its 95% interval over people drawn anew (a person's answers are alike), and how many people there are."""
    people = sorted(set(rankings.people))
    own = [rankings.ranks[[p == person for p in rankings.people]] for person in people]
    sums, counts = np.stack([r.sum(0) for r in own]), np.array([len(r) for r in own])
    taken = np.random.default_rng(0).integers(len(people), size=(DRAWS, len(people)))
    draws = sums[taken].sum(1) / counts[taken].sum(1)[:, None]
    means = rankings.ranks.mean(0)
    return {m: with_interval(means[i], draws[:, i], len(people)) for i, m in enumerate(rankings.methods)}


def kendalls_w(ranks: np.ndarray) -> float:
    """Kendall's coefficient of concordance of `ranks` `[answers, n]`, 1 to n without ties: 0 no agreement, 1 everybody says the same."""
    answers, n = ranks.shape
    spread = ((ranks.sum(0) - ranks.sum() / n) ** 2).sum()
    return float(12 * spread / (answers**2 * (n**3 - n)))


def chance_of(w: float, answers: int, n: int) -> float:
    """How often rankings at random agree as much: Friedman's chi-squared, `answers` (n - 1) W with n - 1 degrees of freedom."""
    return float(chi2.sf(answers * (n - 1) * w, n - 1))


def agreement(rankings: Rankings) -> dict[str, float]:
    """`kendalls_w` of all answers and its chance `p`."""
    w = kendalls_w(rankings.ranks)
    return {"kendalls_w": round(w, 4), "p": round(chance_of(w, *rankings.ranks.shape), 6)}


def as_ranks(order: Sequence[str], methods: tuple[str, ...]) -> list[int]:
    """The rank of each of `methods` in an order from best to worst; ValueError unless it names each once."""
    if sorted(order) != sorted(methods):
        raise ValueError(f"an order of {', '.join(order)} does not rank each of {', '.join(methods)} once")
    return [list(order).index(m) + 1 for m in methods]
