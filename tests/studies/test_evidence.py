"""What the evidence rests on: the reading of a picture, the plan of its studies, its tables, and the tuning."""

import json
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from tasks.commands.evidence import FIGURES, SHOWN, count_fixed, join, read_rows, save_sheet, summarise_pictures, write_document
from tasks.studies.figures import cell_folder
from tasks.studies.plan import Study, load_plan, plan_study, plan_tuning, read_tuning
from tasks.studies.rows import rows_path, write_rows
from tasks.studies.tuning import REPORT, STEPS_REPORT, Tried, widen, widen_all, write_steps, write_tuning
from tasks.studies.units import build_variant
from tests.helpers.tables import METHODS, table_of
from vd_core.errors import InputError
from vd_core.methods.named import METHODS as BY_NAME
from vd_core.metrics.fidelity import refer_to
from vd_core.metrics.report import judge_clip, to_unit
from vd_core.studies.claims import CLAIMS
from vd_core.studies.toy_clips import read_toys
from vd_core.studies.toys import Jury, Toys, load_jury
from vd_core.studies.verdicts import judge_claims, text_by_background
from vd_core.toybox.world.draw import draw_scene
from vd_core.toybox.world.scenes import HELD_OUT, Scene, Toy

ROOT = Path(__file__).parents[2]
DOG, CAR = ("red", "teal", "checkered"), ("white", "green", "plain")


@pytest.fixture(scope="module")
def jury() -> Jury:
    return load_jury(ROOT / "models/toybox")


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Study:
    """The evidence's study of pictures."""
    monkeypatch.chdir(ROOT)
    return plan_study("toybox", "pictures")


def picture_of(toys: Toys, background: str = "snow") -> Image.Image:
    placed = [
        Toy(kind, *identity, x=(i + 0.5) / len(toys), size=0.5 if len(toys) > 1 else 0.6) for i, (kind, identity) in enumerate(toys.items())
    ]
    return Image.fromarray(draw_scene(Scene(tuple(placed), background, 3))[0])


def read(jury: Jury, drawn: Toys) -> dict:
    """What is read of a picture of `drawn` when a dog and a car were asked for."""
    known = [refer_to(jury.judges, k, to_unit([picture_of({k: i}, "city")])) for k, i in (("dog", DOG), ("car", CAR))]
    prompt, picture = "a dog, a car are jumping in the snow", picture_of(drawn)
    return {**judge_clip(jury.judges, [picture], known, prompt, None), **read_toys(jury, [picture], {"dog": DOG, "car": CAR}, prompt)}


def test_a_picture_is_read_as_it_was_drawn(jury: Jury) -> None:
    right = read(jury, {"dog": DOG, "car": CAR})
    assert (right["absent"], right["binding"], right["blend"], right["missing_rate"]) == (0, 1, 0, 0)
    exchanged = read(jury, {"dog": CAR, "car": DOG})
    assert (exchanged["absent"], exchanged["binding"], exchanged["blend"]) == (0, 0, 1)
    alone = read(jury, {"dog": DOG})
    assert (alone["absent"], alone["binding"], alone["blend"], alone["missing_rate"]) == (0.5, 0.5, 0, 0.5)
    assert right["subject_fidelity"] > max(exchanged["subject_fidelity"], alone["subject_fidelity"])
    assert right["text_fidelity"] > alone["text_fidelity"]


def test_a_picture_has_no_figures_over_time(jury: Jury) -> None:
    found = read(jury, {"dog": DOG, "car": CAR})
    assert found["action_binding"] is None and not {"temporal_consistency", "motion_smoothness", "motion_amplitude"} & found.keys()
    assert set(FIGURES) <= found.keys()


def test_the_plan_has_every_method_on_every_combination(plan: Study) -> None:
    """15 combinations; the paper's ablations on all pairs, HLR on the triples; bare prompts from seeds of their own."""
    counts = Counter(c.name for c in plan.cells)
    assert {v for v, n in counts.items() if n == 15} == {"dreambooth", "custom_diffusion", "svdiff", "disen_mix"}
    assert counts["without_either"] == 7
    assert {v for v, n in counts.items() if n == 3} == {"disen_mix_hlr", "without_either_hlr"}
    assert {v for v, n in counts.items() if n == 12} == {"without_weak_denoising", "without_stitch_prompt", "without_visual_embedding"}
    variants = {c.name: c.variant for c in plan.cells}
    assert all(c.generators == ("pictures",) for c in plan.cells)
    kinds = {p.kind: [q for q in plan.prompts if q.kind == p.kind] for p in plan.prompts}
    assert {k: len(own) for k, own in kinds.items()} == {"action": 6, "background": 8, "both": 16, "bare": 1}
    assert plan.seeds_of(kinds["bare"][0]) == tuple(range(12)) and plan.seeds_of(kinds["both"][0]) == (0,)
    needed = {v for claim in CLAIMS.values() if claim.view.generator == "pictures" for side in claim.sides for v in side.variants}
    assert needed <= variants.keys()


def test_half_of_the_subjects_stand_before_one_background_in_all_given_pictures(plan: Study) -> None:
    subjects = {s: about for c in plan.cells for s, (_, about) in c.subjects.items()}
    assert sum(about.background is not None for about in subjects.values()) == 13 and len(subjects) == 25


def test_clips_show_what_pictures_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    study = plan_study("toybox", "clips")
    needed = {v for claim in CLAIMS.values() if claim.view.generator != "pictures" for side in claim.sides for v in side.variants}
    assert needed == {c.name for c in study.cells} and len(study.prompts) == 6 and len(study.combinations) == 15


def test_a_report_becomes_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_of(**{v: {"stitch_score": 0, "subject_fidelity": 0.7 if v == "disen_mix" else 0.5} for v in METHODS})
    table = {v: [{**dict.fromkeys(FIGURES, 0.5), **row} for row in rows] for v, rows in table.items()}
    pictures, clips = (
        {v: [r for r in rows if (r["generator"] == "pictures") == kind] for v, rows in table.items()} for kind in (True, False)
    )
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    Path("docs/evidence.md").write_text(
        "".join(f"<!-- {marker} -->\n<!-- /{marker} -->\n" for marker in ("table", "claims", "paper", "backgrounds"))
    )
    fixed = {f"c{i}": i % 3 for i in range(8)}
    texts = text_by_background(join(pictures, clips), fixed)
    write_document(
        {"claims": judge_claims(join(pictures, clips)), "variants": summarise_pictures(pictures), "text_by_background": texts}, clips
    )
    lines = {line.split(" | ")[0]: line.split(" | ") for line in Path("docs/evidence.md").read_text().splitlines()}
    assert lines["| C1"][2] == "**reproduced**" and lines["| C1"][-1] == "12, 24, 144 |"
    assert lines["| C8"][2:4] == ["**cannot show here**", "+0.000: both sides within 0.312 of the same end"]
    assert all(lines[f"| {c}"][2].startswith("**not separable below") for c in ("C4", "C5"))
    assert len({len(line) for name, line in lines.items() if name.startswith("| C") and name[3:4].isdigit()}) == 1
    first = next(line for line in Path("docs/evidence.md").read_text().splitlines() if line.startswith("| VideoDreamer+AD"))
    assert float(first.split(" | ")[1]) == pytest.approx(0.7, abs=0.01)


def test_text_is_told_apart_by_the_given_backgrounds(plan: Study) -> None:
    fixed = count_fixed(plan)
    assert len(fixed) == 12 and fixed["cat3_dog3"] == 1 and fixed["robot2_bird1"] == 2 and fixed["cat1_robot1"] == 0
    row = {"generator": "animatediff", "kind": "both"}
    rows = [{**row, "combination": c, "text_fidelity": n / 10} for c, n in fixed.items()] + [
        {**row, "combination": "a_b_c", "text_fidelity": 9.0}
    ]
    bare = {**row, "kind": "bare", "combination": "cat1_robot1", "text_fidelity": 9.0}
    assert text_by_background({m: [*rows, bare] for m in METHODS}, fixed)["animatediff"]["disen_mix"] == [0.0, 0.1, 0.2]


def test_the_sheet_has_a_row_a_variant(plan: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    for cell in plan.cells:
        for i in range(4):
            folder = cell_folder(plan.name, cell.name, cell.combination) / "clips" / "pictures" / f"{i:02d}"
            folder.mkdir(parents=True)
            Image.new("RGB", (64, 64)).save(folder / "000.png")
    save_sheet(plan)
    tile = 64 + 4
    assert Image.open("docs/evidence.png").size == (2 * SHOWN * 2 * tile + 4, len({c.name for c in plan.cells}) * tile + 4)


def test_claims_are_judged_from_kept_rows_where_the_study_has_not_run(plan: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"toybox-pictures.csv is missing"):
        read_rows(plan)
    rows = {"svdiff": [{"combination": "cat3_dog3", "binding": 0.5}]}
    write_rows(rows, rows_path(plan.name))
    assert read_rows(plan) == rows
    save_sheet(plan)
    assert not Path("docs").exists()  # there is nothing to show
    for cell in plan.cells:
        folder = cell_folder(plan.name, cell.name, cell.combination)
        folder.mkdir(parents=True)
        (folder / "figures.json").write_text(json.dumps([{"combination": cell.combination, "binding": 1.0}]))
    assert read_rows(plan)["svdiff"][0]["binding"] == 1.0


def test_a_best_rate_at_the_edge_asks_for_one_more_beyond_it() -> None:
    assert widen([1e-3, 2e-3, 4e-3], [0.1, 0.3, 0.2]) == [1e-3, 2e-3, 4e-3]
    assert widen([1e-3, 2e-3, 4e-3], [0.3, 0.2, 0.1]) == [5e-4, 1e-3, 2e-3, 4e-3]
    assert widen([1e-2, 3e-2, 1e-1], [0.1, 0.2, 0.3]) == [1e-2, 3e-2, 1e-1, 3e-1]


def peak_at_8e_3(rates: dict[str, list[float]]) -> Tried:
    return {
        f"{v}-{r:g}": {"subject_fidelity": 0.5, "binding": 0.5, "text_fidelity": 0.5, "mean": -abs(r - 8e-3)}
        for v in rates
        for r in rates[v]
    }


def test_tuning_goes_on_until_every_best_rate_lies_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates, wider = {}, {"disen_mix": [1e-3, 2e-3, 4e-3]}
    while wider != rates:
        rates, wider = wider, widen_all(wider, peak_at_8e_3(wider))
    assert rates == {"disen_mix": [1e-3, 2e-3, 4e-3, 8e-3, 2e-2]}
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    Path("docs/evidence.md").write_text("<!-- tuning -->\n<!-- /tuning -->\n")
    assert write_tuning(rates, peak_at_8e_3(rates)) == {"disen_mix": 8e-3}
    rows = json.loads(REPORT.read_text())
    assert [n for n, row in rows.items() if row["chosen"]] == ["disen_mix-0.008"]
    assert "**0.008**" in Path("docs/evidence.md").read_text()


def test_the_best_number_of_steps_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    Path("docs/evidence.md").write_text("<!-- steps -->\n<!-- /steps -->\n")
    found = {
        f"svdiff-{n}": {"subject_fidelity": 0.5, "binding": 0.5, "text_fidelity": 0.5, "mean": mean} for n, mean in ((100, 0.4), (200, 0.6))
    }
    assert write_steps({"svdiff": [100, 200]}, found) == {"svdiff": 200}
    assert json.loads(STEPS_REPORT.read_text())["svdiff-200"]["chosen"]
    assert "| **svdiff** | **200** | **0.500** | **0.500** | **0.500** | **0.600** |" in Path("docs/evidence.md").read_text()


def test_every_method_is_tuned_on_toys_that_no_study_reports(plan: Study) -> None:
    tuning, variants = read_tuning(load_plan()), load_plan().variants
    assert {variants[v].method for v in tuning.learning_rates} == set(BY_NAME)
    for rates in tuning.learning_rates.values():
        assert len(rates) == 3 and all(1.9 < b / a < 3.4 for a, b in pairwise(rates))
    looks = {about.looks for own in tuning.combinations.values() for about in own.values()}
    assert looks <= set(HELD_OUT) and not looks & {about.looks for c in plan.cells for _, about in c.subjects.values()}


def test_a_tuning_has_a_cell_a_rate_and_combination(plan: Study) -> None:
    study = plan_tuning("learning_rate", {"disen_mix": [1e-3, 2e-3], "svdiff": [0.1]})
    assert [(c.name, c.combination) for c in study.cells][:3] == [
        ("disen_mix-0.001", "dog_bunny"),
        ("disen_mix-0.001", "bear_car"),
        ("disen_mix-0.002", "dog_bunny"),
    ]
    assert [c.variant.learning_rate for c in study.cells] == [1e-3, 1e-3, 2e-3, 2e-3, 0.1, 0.1]
    numbers = {number for c in (*study.cells, *plan.cells) for number, _ in c.subjects.values()}
    assert len(numbers) == 25 + 4


def test_steps_are_tried_at_the_rates_that_were_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    tuning = read_tuning(load_plan())
    assert {load_plan().variants[v].method for v in tuning.steps} == {"disen_mix", "dreambooth", "custom_diffusion", "svdiff"}
    study = plan_tuning("steps", {"svdiff": [100, 400]})
    assert [c.name for c in study.cells] == ["svdiff-100", "svdiff-100", "svdiff-400", "svdiff-400"]
    schedules = [build_variant(study, "toybox", cell.variant, 2, 0).finetune.training.schedule for cell in study.cells[1:3]]
    assert [(s.steps, s.learning_rate) for s in schedules] == [(100, 0.1), (400, 0.1)]
    chosen = replace(study, steps={"svdiff": 300})
    assert build_variant(chosen, "toybox", load_plan().variants["svdiff"], 2, 0).finetune.training.schedule.steps == 300


def test_the_plan_has_the_rates_that_the_tuning_chose() -> None:
    edition, variants = load_plan(ROOT / "benchmarks/studies.yaml").editions["toybox"], load_plan(ROOT / "benchmarks/studies.yaml").variants
    rows = json.loads((ROOT / REPORT).read_text())
    chosen = {name.rsplit("-", 1)[0]: float(name.rsplit("-", 1)[1]) for name, row in rows.items() if row["chosen"]}
    assert {v: variants[v].learning_rate or edition.learning_rates[variants[v].method] for v in chosen} == chosen


def test_bare_prompts_are_no_part_of_other_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for profile in ("quick", "full", "clips", "tuning", "sample"):
        assert "bare" not in {p.kind for p in plan_study("toybox", profile).prompts}
    study = plan_study("toybox", "full")
    assert {c.combination for c in study.cells if c.name == "without_stitch_prompt"} == set(load_plan().editions["toybox"].ablated)
    assert replace(study, bare=3).seeds_of(study.prompts[0]) == (0, 1, 2, 3)
