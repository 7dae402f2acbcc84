"""The paper's tables from rows of figures, and the cost of a whole benchmark, on numbers whose answer is known."""

import pytest

from vd_core.studies.cost import FULL, Seconds, Size, cost_of
from vd_core.studies.paper_tables import Rows, build_tables, means_of

PAIRS, TRIPLE = ("a_b", "c_d"), "e_f_g"


def rows_of(
    fidelity: float, combinations: tuple[str, ...] = (*PAIRS, TRIPLE), generators: tuple[str, ...] = ("text2video_zero", "animatediff")
) -> Rows:
    """Two clips of each combination by each generator; triples are 0.3 less faithful, and the second clip of all is 0.1 more."""
    figures = {"text_fidelity": 0.5, "temporal_consistency": 0.9, "stitch_score": fidelity, "action_binding": None}
    return [
        {
            "generator": g,
            "combination": c,
            "subjects": c.count("_") + 1,
            "subject_fidelity": fidelity - 0.3 * (c == TRIPLE) + 0.1 * i,
            **figures,
        }
        for g in generators
        for c in combinations
        for i in range(2)
    ]


TABLE = {"dreambooth": rows_of(0.4), "svdiff": rows_of(0.6), "disen_mix": rows_of(0.8)}


def test_table_one_has_pairs_triples_and_all_clips() -> None:
    table = build_tables(TABLE, {})[0]
    rows = {row[0]: row[1:] for row in table.rows}
    assert list(rows) == [f"{m}+{g}" for g in ("T2V", "AD") for m in ("DreamBooth", "SVDiff", "VideoDreamer")]
    assert rows["VideoDreamer+AD"][:3] == ["0.850", "0.550", "**0.750**"]  # the mean of all clips, not that of the two means
    assert rows["SVDiff+AD"][2] == "<u>0.550</u>" and rows["DreamBooth+AD"][2] == "0.350"
    assert [rows[f"{m}+T2V"][11] for m in ("DreamBooth", "SVDiff", "VideoDreamer")] == [
        "**0.400**",
        "<u>0.600</u>",
        "0.800",
    ]  # lower is better
    assert {row[5] for row in rows.values()} == {"**0.500**"}  # equal ones are marked alike


def test_an_ablation_is_compared_on_its_own_combinations() -> None:
    ablation = rows_of(0.1, PAIRS, ("text2video_zero",))
    tables = {t.number: t for t in build_tables({**TABLE, "without_weak_denoising": ablation}, {})}
    assert tables["III"].rows == [["w/o L3", "0.150", "0.500", "0.900", "0.100"], ["VideoDreamer", "0.850", "0.500", "0.900", "0.800"]]
    assert tables["III"].title == "the weak denoising loss: 2 combinations of 2 subjects, T2V"
    assert tables["II"].rows == [] and tables["IV"].rows == []


def test_ablations_without_clips_are_compared_in_pictures_that_say_something() -> None:
    def pictures(score: float) -> Rows:
        rows = rows_of(score, PAIRS, ("text2video_zero",))
        said = [{**row, "generator": "pictures", "kind": "action"} for row in rows]
        return said + [{**row, "kind": "bare", "subject_fidelity": 9.0} for row in said]

    whole = {**TABLE, "disen_mix": [*TABLE["disen_mix"], *pictures(0.7)], "without_weak_denoising": pictures(0.1)}
    table = {t.number: t for t in build_tables(whole, {})}["III"]
    assert table.title.endswith("single pictures") and [row[1] for row in table.rows] == ["0.150", "0.750"]


def test_what_was_not_measured_has_no_number_and_ranks_come_from_people() -> None:
    tables = {t.number: t for t in build_tables(TABLE, {"svdiff": 2.5})}
    rows = {row[0]: row[1:] for row in tables["V"].rows}
    assert rows["SVDiff+AD"] == ["–", "–", "–", "2.500"] and rows["VideoDreamer+AD"][-1] == "–"
    means = means_of(TABLE)["disen_mix"]["animatediff"]
    assert means["subject_fidelity"] == 0.75 and "action_binding" not in means


def test_the_cost_of_a_benchmark() -> None:
    """1,800 videos of four methods by two generators, by hand."""
    seconds = Seconds(finetuning=600, text2video_zero=20, animatediff=40, score=2)
    one, eight, many = (cost_of(FULL, seconds, devices, chunk=12) for devices in (1, 8, 64))
    work = 120 * 600 + 7200 * (20 + 40 + 4)
    assert one.hours == one.device_hours == pytest.approx(work / 3600)
    assert eight.hours == pytest.approx((work / 8 + 12 * 42) / 3600)
    assert many.device_hours == pytest.approx(64 * many.hours) and many.device_hours > one.device_hours
    few = cost_of(Size(videos=1, methods=1, combinations=2, training_seeds=1, bases=1), seconds, 64, chunk=1)
    assert few.hours == pytest.approx((600 + 42) / 3600)  # a finetuning is not divided
