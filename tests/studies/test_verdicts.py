"""The verdict on a claim: intervals that hold the truth, what reproduces, refutes or cannot be shown."""

import numpy as np
import pytest

from tests.helpers.tables import METHODS, as_rows, simulate, table_of
from vd_core.metrics.intervals import resample
from vd_core.studies.claims import CLAIMS, PEERS, Claim, Table
from vd_core.studies.verdicts import design_of, judge, judge_claims


def judge_one(claim: Claim, whole: Table, draws: int = 1000) -> dict:
    table = claim.view.of(whole)
    design = design_of(table)
    return judge(claim, table, design, resample(design, draws))


def picture_interval(table: Table, figure: str) -> tuple[float, float]:
    """The interval of a paired difference that takes every picture for independent."""
    one, other = (np.array([row[figure] for row in rows]) for rows in table.values())
    taken = np.random.default_rng(0).integers(len(one), size=(1000, len(one)))
    low, high = np.percentile((one - other)[taken].mean(1), [2.5, 97.5])
    return low, high


@pytest.mark.parametrize(("pairs", "combinations", "seeds"), [(8, 12, 2), (6, 6, 1)])
def test_the_interval_covers_the_truth_and_that_of_pictures_does_not(pairs: int, combinations: int, seeds: int) -> None:
    """Combinations differ as they did when C1 was measured (intra-class correlation 0.3): 95% intervals hold the truth 95 times in 100."""
    rng, truth, held, held_by_pictures, detectable = np.random.default_rng(1), 0.1, 0, 0, []
    means = {"disen_mix": 0.5 + truth, "without_weak_denoising": 0.5}
    for _ in range(200):
        table = simulate(rng, means, "subject_fidelity", pairs, (combinations, seeds, 6), (0.15, 0.06, 0.2))
        found = judge_one(CLAIMS["C11"], table)
        held += found["ci95"][0] <= truth <= found["ci95"][1]
        low, high = picture_interval(table, "subject_fidelity")
        held_by_pictures += low <= truth <= high
        detectable.append(found["detectable"])
    assert 180 <= held <= 197
    assert held_by_pictures < 160
    variance = 2 * (0.15**2 + 0.06**2 / seeds + 0.2**2 / seeds / 6) / combinations
    assert np.sqrt(np.mean(np.square(detectable))) == pytest.approx(2.8 * variance**0.5, rel=0.1)


def test_an_effect_is_reproduced_and_its_reverse_refuted() -> None:
    better = judge_claims(table_of(disen_mix={"subject_fidelity": 0.7}, svdiff={"text_fidelity": 0.3, "stitch_score": 0.9}))
    for name in ("C1", "C2", "C3", "C6 highest", "C11"):
        assert better[name]["verdict"] == "reproduced", name
    assert better["C1"]["difference"] == pytest.approx(0.2, abs=0.02)
    assert better["C1"]["n"] == {"combinations": 12, "finetunings": 24, "pictures": 144}
    assert better["C8"]["n"] == {"combinations": 4, "finetunings": 8, "pictures": 48}
    worse = judge_claims(table_of(disen_mix={"subject_fidelity": 0.3, "text_fidelity": 0.2}))
    assert worse["C1"]["verdict"] == worse["C3"]["verdict"] == worse["C11"]["verdict"] == "refuted"
    equal = [worse[f"{name}{view}"] for name in ("C7", "C8", "C9 P_N", "C9 f_j", "C9 unguarded") for view in ("", " bare")]
    assert (
        sum(found["verdict"] == f"not separable below {found['detectable']:.3f}" for found in equal) >= 7
    )  # of four triples an interval holds the truth 87 times in 100
    assert worse.keys() == CLAIMS.keys()


def test_what_stands_at_a_floor_or_a_ceiling_on_both_sides_cannot_be_shown() -> None:
    none = judge_claims(table_of(**{v: {"stitch_score": 0} for v in METHODS}))
    for name in ("C6 highest", "C6 order", "C7", "C8", "C9 P_N", "C9 f_j", "C8 unguarded"):
        for found in (none[name], none[f"{name} bare"]):
            assert found["verdict"] == "cannot show here" and "ci95" not in found
    assert none["C6 order"]["bound"] == pytest.approx(1 - 0.05 ** (1 / 24), abs=1e-4)  # 24 finetunings, and not their 144 pictures
    assert none["C7"]["bound"] == none["C8"]["bound"] == pytest.approx(1 - 0.05 ** (1 / 8), abs=1e-4)
    apart = judge_claims(table_of(**{v: {"stitch_score": 0} for v in METHODS if v != "svdiff"}))
    assert apart["C6 highest"]["verdict"] == "reproduced"


def test_an_ablation_alone_may_have_the_seams() -> None:
    found = judge_claims(table_of(**{v: {"stitch_score": 0} for v in METHODS if v not in ("without_stitch_prompt", "without_either")}))
    verdicts = {
        name: found[name]["verdict"] for name in ("C9 P_N", "C9 f_j", "C9 unguarded", "C8 unguarded", "C8 bare", "C8 unguarded bare")
    }
    assert verdicts == {
        **dict.fromkeys(("C9 P_N", "C9 unguarded", "C8 unguarded", "C8 unguarded bare"), "reproduced"),
        **dict.fromkeys(("C9 f_j", "C8 bare"), "cannot show here"),
    }


def test_equal_variants_seldom_refute() -> None:
    """Of equal methods one always happens to be best: the interval of the draws' own maximum refuted C1 in 13 of 100 such tables."""
    rng, equal = np.random.default_rng(1), dict.fromkeys(("disen_mix", *PEERS), 0.5)
    tables = [simulate(rng, equal, "subject_fidelity", 8, (12, 1, 4), (0.15, 0.06, 0.2)) for _ in range(100)]
    verdicts = [judge_one(CLAIMS["C1"], table)["verdict"] for table in tables]
    assert verdicts.count("refuted") <= 5 and verdicts.count("reproduced") <= 3


def test_custom_diffusion_above_svdiff_refutes_that_svdiff_is_highest() -> None:
    seams = {"svdiff": 0.6, "custom_diffusion": 0.8, "dreambooth": 0.1, "disen_mix": 0.1}
    found = judge_claims(table_of(**{v: {"stitch_score": rate} for v, rate in seams.items()}))
    assert found["C6 highest"]["verdict"] == "refuted" and found["C6 order"]["verdict"] == "reproduced"
    low_custom = judge_claims(table_of(**{v: {"stitch_score": rate} for v, rate in (seams | {"custom_diffusion": 0.05}).items()}))
    assert low_custom["C6 highest"]["verdict"] == "reproduced" and low_custom["C6 order"]["verdict"] == "refuted"


def test_with_one_combination_of_a_kind_the_interval_says_what_it_is_conditional_on() -> None:
    means, rng = {"disen_mix": 0.6, "without_weak_denoising": 0.5}, np.random.default_rng(0)
    both = judge_one(CLAIMS["C11"], simulate(rng, means, "subject_fidelity", 4, (5, 1, 6), (0.1, 0.1, 0.1)))
    assert both["resampled"] == {"2 subjects": "combinations", "3 subjects": "pictures"}
    seeds = judge_one(CLAIMS["C11"], simulate(rng, means, "subject_fidelity", 1, (1, 3, 6), (0.1, 0.1, 0.1)))
    assert seeds["resampled"] == {"2 subjects": "finetunings"}
    with pytest.raises(ValueError, match="has no interval"):
        judge_one(CLAIMS["C11"], simulate(rng, means, "subject_fidelity", 1, (1, 1, 1), (0.1, 0.1, 0.1)))


def test_ablations_share_training_noise_and_other_methods_do_not() -> None:
    """Of one combination finetunings are drawn: two equal variants never differ where their noise is one, and do where each has its own."""
    values = np.random.default_rng(0).normal(0.5, 0.1, (1, 8, 6))
    shared = {v: as_rows(values, "subject_fidelity", "disen_mix", 1) for v in ("disen_mix", "without_weak_denoising")}
    assert judge_one(CLAIMS["C11"], shared)["ci95"] == [0, 0]
    own = {v: as_rows(values, "subject_fidelity", v, 1) for v in ("disen_mix", *PEERS)}
    low, high = judge_one(CLAIMS["C1"], own)["ci95"]
    assert low < -0.01 and high > low + 0.02


def test_a_claim_asks_for_what_it_needs_and_no_more() -> None:
    table = table_of()
    few = {v: table[v] for v in ("disen_mix", "without_weak_denoising")}
    assert judge_one(CLAIMS["C11"], few)["n"]["finetunings"] == 24
    with pytest.raises(ValueError, match="needs the variant without_visual_embedding"):
        judge_one(CLAIMS["C10"], few)
    pairs = {v: [row for row in rows if row["subjects"] == 2] for v, rows in table.items()}
    with pytest.raises(ValueError, match="needs a combination of 3 subjects"):
        judge_one(CLAIMS["C8"], pairs)


def test_variants_of_other_combinations_or_pictures_are_not_compared() -> None:
    table = table_of()
    elsewhere = [{**row, "combination": f"{row['combination']} elsewhere"} for row in table["svdiff"]]
    for other in (elsewhere, table["svdiff"][:-1], table["svdiff"][::-1]):
        with pytest.raises(ValueError, match="same combinations|one combination after the other"):
            judge_claims({**table, "svdiff": other})
    some = [row for row in table["svdiff"] if row["combination"] in {r["combination"] for r in table["svdiff"][:72]}]
    assert judge_claims({**table, "svdiff": some})["C1"]["n"]["combinations"] < 12, "on the combinations that all have"
    fewer = [row for row in table["svdiff"] if row["training_seed"] == 0]
    assert judge_claims({**table, "svdiff": fewer})["C1"]["n"]["finetunings"] == 12
