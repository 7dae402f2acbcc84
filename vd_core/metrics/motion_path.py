"""How much a thing moves as a path says. Our own; no weights."""

import numpy as np

FEWEST = 0.5
"""A thing that is found in fewer of the frames has no path."""


def path_correlation(middles: np.ndarray, path: np.ndarray) -> float:
    """Correlation of a thing's middles `[f, 2]`, NaN where it is not found, with `path` `[f, 2]`, both around their means: -1 to 1, 0 if it is hardly found.

    Size and place do not count: half the way at the same time is 1. A thing that stands still has 0.
    """
    seen, frames = ~np.isnan(middles[:, 0]), np.arange(len(middles))
    if seen.sum() < FEWEST * len(middles):
        return 0.0
    own = np.stack([np.interp(frames, frames[seen], middles[seen, i]) for i in (0, 1)], 1)
    own, known = own - own.mean(0), path - path.mean(0)
    return float((own * known).sum() / np.sqrt((own**2).sum() * (known**2).sum() + 1e-9))
