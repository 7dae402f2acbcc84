"""How learning rates and steps are chosen, on toys that no study reports."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from tasks.shared.yaml_files import read_yaml
from tasks.studies.plan import Study, load_plan, plan_study, plan_tuning, read_tuning
from tasks.studies.tuning import REPORT, STEPS_REPORT, Tried, widen, widen_all, write_steps, write_tuning
from tasks.studies.units import build_variant
from vd_core.methods.named import METHODS as BY_NAME
from vd_core.toybox.world.scenes import HELD_OUT

ROOT = Path(__file__).parents[2]
DOG, CAR = ("red", "teal", "checkered"), ("white", "green", "plain")


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Study:
    """The evidence's study of pictures."""
    monkeypatch.chdir(ROOT)
    return plan_study("toybox", "pictures")


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


def test_the_plan_has_the_steps_that_were_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the preset's are the best, the plan names none."""
    monkeypatch.chdir(ROOT)
    edition, usual = load_plan().editions["toybox"], read_yaml(Path("presets/toybox.yaml"))["finetune"]["schedule"]["steps"]
    found = [name.rsplit("-", 1) for name, row in json.loads(STEPS_REPORT.read_text()).items() if row["chosen"]]
    assert {v: edition.steps.get(v, usual) for v, _ in found} == {v: int(steps) for v, steps in found}
