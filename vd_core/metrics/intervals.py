"""Bootstrap intervals: of independent samples, and of pictures that are alike in one finetuning, as finetunings are in one combination."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm, t

DRAWS = 2000
POWER = 2.8
"""A two-sided test at 5% finds a difference of this many standard errors four times in five: 1.96 + 0.84."""
LEVELS = ("combinations", "finetunings", "pictures")


def with_interval(value: float, draws: Any, n: int) -> dict[str, Any]:
    """A figure of `n` independent samples as reports have it: `value`, `n`, and as `ci95` the middle 95% of its bootstrap draws."""
    low, high = np.percentile(draws, [2.5, 97.5])
    return {"value": round(float(value), 4), "n": n, "ci95": [round(float(low), 4), round(float(high), 4)]}


def bound_of_zeros(n: int) -> float:
    """The rate (0 to 1) of which `n` independent samples show nothing once in twenty times: about 3 / n, the rule of three."""
    return 1 - 0.05 ** (1 / n)


@dataclass(frozen=True)
class Spread:
    """What few units ask for: a `factor` on the bootstrap's standard error, and Student's t with `free` degrees of freedom for the normal.

    A bootstrap of n units is too narrow by sqrt((n - 1) / n), and its tails are the normal's (Hesterberg 2015, "What teachers should know
    about the bootstrap": expanded percentiles).
    """

    factor: float
    free: int

    def tail(self, comparisons: int) -> float:
        """The percentile below which 2.5% lie, or a share of that for each of several comparisons (Bonferroni)."""
        return float(100 * norm.cdf(-self.factor * t.ppf(1 - 0.025 / comparisons, self.free)))


def interval_of_smallest(draws: np.ndarray, spread: Spread) -> list[float]:
    """The 95% interval of the smallest of m figures, from their bootstrap draws `[m, draws]`, to four places; of one figure, where m is 1.

    Its ends are the smallest of the figures' own ends, since the draws' smallest leans below the truth. The smallest lies above a value
    where all of them do, so that one tail bounds the error; it lies below where any does, so there the tail is shared among the m.
    """
    low = np.percentile(draws, spread.tail(1), axis=1).min()
    high = np.percentile(draws, 100 - spread.tail(len(draws)), axis=1).min()
    return [round(float(low), 4), round(float(high), 4)]


@dataclass(frozen=True)
class Design:
    """What was measured: combinations of `strata` `[c]`, so many `finetunings` of each by every training noise, `pictures` of those."""

    strata: np.ndarray
    finetunings: Mapping[Hashable, int]
    pictures: int

    def unit(self, stratum: int) -> tuple[str, int]:
        """The level that is resampled in a stratum, and how many it has: the highest of which there are two.

        ValueError if there is none.
        """
        counts = (int(np.sum(self.strata == stratum)), min(self.finetunings.values()), self.pictures)
        for level, count in zip(LEVELS, counts, strict=True):
            if count > 1:
                return level, count
        raise ValueError("one picture of one finetuning has no interval: draw more")

    def spread(self, strata: list[int]) -> Spread:
        """Of a mean over `strata`: by the units of the highest level that is resampled in any of them."""
        units = [self.unit(s) for s in strata]
        highest = min((level for level, _ in units), key=LEVELS.index)
        counts = [count for level, count in units if level == highest]
        free = sum(counts) - len(counts)
        return Spread((sum(counts) / free) ** 0.5, free)


@dataclass(frozen=True)
class Resampling:
    """The indices that each draw takes: `combinations` `[draws, c]`, `finetunings` `[draws, c, k]` by noise, `pictures` `[draws, c, p]`."""

    combinations: np.ndarray
    finetunings: dict[Hashable, np.ndarray]
    pictures: np.ndarray

    def means(self, values: np.ndarray, noise: Hashable) -> np.ndarray:
        """The draws' means `[draws, c]` of the `values` `[c, k, p]` of finetunings with that training noise."""
        c, k, p = self.combinations, self.finetunings[noise], self.pictures
        return values[c[:, :, None, None], k[:, :, :, None], p[:, :, None, :]].mean((2, 3))


def resample(design: Design, draws: int) -> Resampling:
    """A cluster bootstrap: in every stratum the highest level of which there are two is drawn anew; what lies below comes whole.

    The combinations' own means already carry the noise of their finetunings and pictures; drawing those too counts it twice (Davison and
    Hinkley 1997, "Bootstrap methods and their application", 3.8). Where a stratum has one combination, its finetunings are drawn, and where
    there is one training seed, its pictures: the interval is then conditional on that combination, or finetuning. Combinations and pictures
    are drawn as pairs, the same for all variants. Training noise is independent between methods, so their finetunings are drawn
    independently; variants with the same noise share theirs.
    """
    rng, count = np.random.default_rng(0), len(design.strata)
    combinations = np.tile(np.arange(count), (draws, 1))
    finetunings = {noise: np.tile(np.arange(k), (draws, count, 1)) for noise, k in design.finetunings.items()}
    pictures = np.tile(np.arange(design.pictures), (draws, count, 1))
    for stratum in np.unique(design.strata):
        own = np.flatnonzero(design.strata == stratum)
        level, _ = design.unit(stratum)
        if level == "combinations":
            combinations[:, own] = rng.choice(own, (draws, len(own)))
        else:
            for taken in finetunings.values() if level == "finetunings" else [pictures]:
                taken[:, own] = rng.integers(taken.shape[-1], size=(draws, 1, taken.shape[-1]))
    return Resampling(combinations, finetunings, pictures)
