"""Played tables of a study: rows around known truths."""

import numpy as np

from vd_core.studies.claims import Table

METHODS = {
    **{v: v for v in ("disen_mix", "dreambooth", "custom_diffusion", "svdiff")},
    **dict.fromkeys(("disen_mix_hlr", "without_stitch_prompt", "without_visual_embedding", "without_weak_denoising"), "disen_mix"),
    **dict.fromkeys(("without_either", "without_either_hlr", "larger_weak_denoising", "full_weak_denoising"), "disen_mix"),
}
FIGURES = ("subject_fidelity", "text_fidelity", "stitch_score", "temporal_consistency")
KINDS = (("pictures", "both"), ("pictures", "bare"), ("text2video_zero", "both"), ("animatediff", "both"))
"""Generators and kinds of prompts."""


def as_rows(values: np.ndarray, figure: str, method: str, pairs: int) -> list[dict]:
    """`values` `[combinations, finetunings, pictures]` as rows; the first `pairs` combinations are of two subjects, the others of three."""
    about = {"method": method, "generator": "pictures", "kind": "both"}
    return [
        {**about, figure: float(values[c, k, p]), "subjects": 2 + (c >= pairs), "combination": f"c{c}", "training_seed": k}
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
    """All variants on eight pairs and four triples, two finetunings each, six samples of each of KINDS: figures around 0.5 or what `means` says."""
    rng, table = np.random.default_rng(0), {v: [] for v in METHODS}
    for generator, kind in KINDS:
        per_figure = [
            simulate(rng, {v: means.get(v, {}).get(figure, 0.5) for v in METHODS}, figure, 8, (12, 2, 6), (0.01, 0.01, 0.05))
            for figure in FIGURES
        ]
        for v in METHODS:
            parts = zip(*(t[v] for t in per_figure), strict=True)
            table[v] += [{k: x for part in own for k, x in part.items()} | {"generator": generator, "kind": kind} for own in parts]
    return table
