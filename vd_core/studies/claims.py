"""The paper's claims C1 to C11 as differences of figures, of single pictures and of clips."""

from dataclasses import dataclass
from typing import Any

import numpy as np

COMPARABLE, SIMILAR = 0.03, 0.02
"""Two mean CLIP-T are comparable, and two mean temporal consistencies similar, when they surely differ by less; set before anything was measured."""

Rows = list[dict[str, Any]]
Table = dict[str, Rows]
"""The rows of every variant, a picture or clip each: its figures, `subjects`, `combination`, `training_seed`, `method`, `generator`, and its prompt's `kind`.

All in one order: by combination, training seed, prompt, picture seed; the combinations and pictures are the same for all variants.
"""


@dataclass(frozen=True)
class Side:
    """One side of a difference: variants, on all combinations or only on those with `subjects` subjects."""

    variants: tuple[str, ...]
    subjects: int | None = None

    def covers(self, strata: np.ndarray) -> np.ndarray:
        """Which combinations it covers; `strata` `[c]` holds each one's number of subjects."""
        return np.full(len(strata), True) if self.subjects is None else strata == self.subjects


@dataclass(frozen=True)
class View:
    """Which rows show a claim: those of a generator, of prompts that say a place or an action or of bare ones."""

    generator: str
    bare: bool = False

    def of(self, table: Table) -> Table:
        """Those rows of a table; variants that have none are left out."""
        kept = {
            v: [r for r in rows if r["generator"] == self.generator and (r["kind"] == "bare") == self.bare] for v, rows in table.items()
        }
        return {v: rows for v, rows in kept.items() if rows}


PICTURES, BARE, T2V, AD = View("pictures"), View("pictures", bare=True), View("text2video_zero"), View("animatediff")


@dataclass(frozen=True)
class Claim:
    """What the paper says, as a difference that is above zero where it holds: the lowest mean of `above` less the highest of `below`.

    With a `margin`: the margin less the largest distance between the two sides' means. The lowest and the highest of several noisy means,
    and the largest distance, lean against the claim (C1, C2, C3, C6), so "reproduced" is conservative. The interval's ends are those of
    single comparisons, all of which must hold, so that equal variants do not refute.
    """

    text: str
    view: View
    figure: str
    above: Side
    below: Side
    margin: float | None = None

    @property
    def sides(self) -> tuple[Side, Side]:
        """`above` and `below`."""
        return self.above, self.below


PEERS = ("dreambooth", "custom_diffusion", "svdiff")
OURS = ("disen_mix",)
FIDELITY, TEXT, SEAMS = "subject_fidelity", "text_fidelity", "stitch_score"
METHODS = (*OURS, *PEERS)


def main_claims(view: View) -> dict[str, Claim]:
    """What Table I says of every generator's fidelity and CLIP-T."""
    return {
        "C1": Claim("VideoDreamer has the highest subject fidelity", view, FIDELITY, Side(OURS), Side(PEERS)),
        "C2": Claim("SVDiff has the lowest CLIP-T", view, TEXT, Side(("disen_mix", *PEERS[:2])), Side(("svdiff",))),
        "C3": Claim(
            "VideoDreamer's CLIP-T is comparable to DreamBooth's and Custom Diffusion's",
            view,
            TEXT,
            Side(OURS),
            Side(PEERS[:2]),
            COMPARABLE,
        ),
    }


def stitch_claims(view: View) -> dict[str, Claim]:
    """The claims about seams."""
    others = Side(("disen_mix", "dreambooth", "custom_diffusion"))
    return {
        "C6 highest": Claim("SVDiff has the highest stitch score", view, SEAMS, Side(("svdiff",)), others),
        "C6 order": Claim(
            "SVDiff's and Custom Diffusion's stitch scores are above DreamBooth's and VideoDreamer's",
            view,
            SEAMS,
            Side(("svdiff", "custom_diffusion")),
            Side(("dreambooth", "disen_mix")),
        ),
        "C7": Claim("VideoDreamer's stitch score rises from two to three subjects", view, SEAMS, Side(OURS, 3), Side(OURS, 2)),
        "C8": Claim("HLR lowers the stitch score of three subjects", view, SEAMS, Side(OURS, 3), Side(("disen_mix_hlr",), 3)),
        "C9 P_N": Claim("without P_N stitches rise", view, SEAMS, Side(("without_stitch_prompt",)), Side(OURS)),
        "C9 f_j": Claim("without f_j stitches rise", view, SEAMS, Side(("without_visual_embedding",)), Side(OURS)),
    }


def unguarded_claims(view: View) -> dict[str, Claim]:
    """C7 to C10 asked of Disen-Mix without P_N, and f_j: an experiment of ours, for a base on which either of the two keeps seams away."""
    unguarded, refined, with_f = ("without_either",), ("without_either_hlr",), ("without_stitch_prompt",)
    return {
        "C7 unguarded": Claim(
            "without P_N and f_j: stitches rise from two to three subjects", view, SEAMS, Side(unguarded, 3), Side(unguarded, 2)
        ),
        "C8 unguarded": Claim(
            "without P_N and f_j: HLR lowers the stitches of three subjects", view, SEAMS, Side(unguarded, 3), Side(refined, 3)
        ),
        "C9 unguarded": Claim("without both P_N and f_j stitches rise", view, SEAMS, Side(unguarded), Side(OURS)),
        "C9 f_j unguarded": Claim("without P_N: stitches rise without f_j", view, SEAMS, Side(unguarded), Side(with_f)),
    }


def named(claims: dict[str, Claim], suffix: str) -> dict[str, Claim]:
    """The claims with more in their names."""
    return {f"{name} {suffix}": claim for name, claim in claims.items()}


CLAIMS: dict[str, Claim] = {
    **main_claims(PICTURES),
    **stitch_claims(PICTURES),
    "C10": Claim("without f_j CLIP-T falls", PICTURES, TEXT, Side(OURS), Side(("without_visual_embedding",))),
    "C11": Claim("without L3 subject fidelity falls", PICTURES, FIDELITY, Side(OURS), Side(("without_weak_denoising",))),
    **{
        f"C11 lambda {weight}": Claim(
            f"lambda {weight}: without L3 subject fidelity falls", PICTURES, FIDELITY, Side((v,)), Side(("without_weak_denoising",))
        )
        for weight, v in (("0.1", "larger_weak_denoising"), ("1", "full_weak_denoising"))
    },
    **unguarded_claims(PICTURES),
    "C10 unguarded": Claim(
        "without P_N: CLIP-T falls without f_j", PICTURES, TEXT, Side(("without_stitch_prompt",)), Side(("without_either",))
    ),
    **named(stitch_claims(BARE) | unguarded_claims(BARE), "bare"),
    **named(main_claims(T2V), "T2V"),
    **named(main_claims(AD), "AD"),
    "C4": Claim(
        "the methods' temporal consistency is similar on Text2Video-Zero",
        T2V,
        "temporal_consistency",
        Side(METHODS),
        Side(METHODS),
        SIMILAR,
    ),
    "C5": Claim(
        "VideoDreamer's and SVDiff's temporal consistency is above the others' on AnimateDiff",
        AD,
        "temporal_consistency",
        Side(("disen_mix", "svdiff")),
        Side(PEERS[:2]),
    ),
}
