"""Played tables of a study: rows around known truths."""

import numpy as np

from vd_core.studies.claims import Table

METHODS = {
    **{v: v for v in ("disen_mix", "dreambooth", "custom_diffusion", "svdiff")},
    **dict.fromkeys(("disen_mix_hlr", "without_stitch_prompt", "without_visual_embedding", "without_weak_denoising"), "disen_mix"),
}
BETWEEN = {"fidelity": 0.5, "text_fidelity": 0.5, "stitched": 0.5, "stitched_bare": 0.5}


def as_rows(values: np.ndarray, figure: str, method: str, pairs: int) -> list[dict]:
    """`values` `[combinations, finetunings, pictures]` as rows; the first `pairs` combinations are of two subjects, the others of three."""
    return [
        {figure: float(values[c, k, p]), "subjects": 2 + (c >= pairs), "combination": f"c{c}", "training_seed": k, "method": method}
        for c, k, p in np.ndindex(*values.shape)
    ]


def simulate(
    rng: np.random.Generator, means: dict[str, float], figure: str, pairs: int, shape: tuple[int, int, int], noise: tuple
) -> Table:
    """Rows around true means, with noise of a variant on a combination, of a finetuning, and of a picture; a mean of 0 or 1 stays exact."""
    between, training, picture = noise

    def draw(mean: float) -> np.ndarray:
        c, k, p = shape
        spread = between * rng.normal(size=(c, 1, 1)) + training * rng.normal(size=(c, k, 1)) + picture * rng.normal(size=(c, k, p))
        return mean + (0 if mean in (0, 1) else 1) * spread

    return {v: as_rows(draw(mean), figure, METHODS[v], pairs) for v, mean in means.items()}


def table_of(**means: dict[str, float]) -> Table:
    """All variants on eight pairs and four triples, two finetunings of six pictures each: figures around 0.5 or what `means` says."""
    rng = np.random.default_rng(0)
    per_figure = [
        simulate(rng, {v: means.get(v, {}).get(figure, mean) for v in METHODS}, figure, 8, (12, 2, 6), (0.01, 0.01, 0.05))
        for figure, mean in BETWEEN.items()
    ]
    return {
        v: [{k: x for part in parts for k, x in part.items()} for parts in zip(*(t[v] for t in per_figure), strict=True)] for v in METHODS
    }
