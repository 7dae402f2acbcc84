"""The transfer study's eyes on drawn clips: the path and the colors of toys that are known."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch

from tasks.commands import transfer
from tasks.shared.sections import MotionSection
from tests.helpers.workspace import change
from vd_core.metrics.fidelity import SubjectReference, refer_to
from vd_core.studies.toys import Jury, load_jury
from vd_core.studies.transfer import FIGURES, Drawn, Plan, draw_reference, draw_truth, judge_clip, load_plan, summarise_arms
from vd_core.toybox.world.demo import SUBJECTS
from vd_core.toybox.world.scenes import KINDS, Scene

ROOT = Path(__file__).parents[2]
PLAN = load_plan(ROOT / "benchmarks/motion.yaml")


@pytest.fixture(scope="module")
def jury() -> Jury:
    return load_jury(ROOT / "models/toybox")


def seen_as(plan: Plan, number: int) -> tuple[torch.Tensor, Plan]:
    """A reference's own clip, and a plan whose subjects are its toys."""
    drawn = plan.references[number]
    frames = torch.from_numpy(draw_reference(drawn)).permute(0, 3, 1, 2).float() / 255
    return frames, Plan({kind: looks[0] for kind, looks in drawn.toys.items()}, "", [], [], 0, [drawn])


def know(jury: Jury, frames: torch.Tensor, kinds: Iterable[str]) -> list[SubjectReference]:
    """What a clip's first frame shows of its toys."""
    return [refer_to(jury.judges, kind, frames[:1]) for kind in kinds]


@pytest.mark.parametrize("number", range(len(PLAN.references)))
def test_a_reference_itself_goes_its_path_in_its_colors(jury: Jury, number: int) -> None:
    frames, own = seen_as(PLAN, number)
    rows = judge_clip(jury, frames, own, PLAN.references[number], know(jury, frames, own.subjects))
    assert all(row["path"] > 0.95 and row["own"] > 0.8 and row["identity"] > 0.8 and row["absent"] < 0.2 for row in rows), rows


def test_a_clip_that_stands_still_has_no_path(jury: Jury) -> None:
    frames, own = seen_as(PLAN, 0)
    rows = judge_clip(jury, frames[:1].repeat(len(frames), 1, 1, 1), own, PLAN.references[0], know(jury, frames, own.subjects))
    assert all(abs(row["path"]) < 0.01 for row in rows)


def test_subjects_and_references_share_no_kind_and_no_color() -> None:
    """Else a leak could not be told from the subject's own."""
    for drawn in PLAN.references:
        assert not set(drawn.toys) & set(PLAN.subjects) and set(drawn.toys) <= set(KINDS)
        assert not {looks[0] for looks in drawn.toys.values()} & {*PLAN.subjects.values(), "red", "yellow"}
        assert Scene((), drawn.place, drawn.seed)


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_a_run_that_was_ended_goes_on_and_arms_share_a_training(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With played trainings and clips: the swap's clips were measured when it was ended, the led ones' not."""
    shutil.copytree(ROOT / "benchmarks", "benchmarks")
    trained, measured = [], []

    def finetune(folder: Path, section: MotionSection, plan: Plan, drawn: Drawn, literal: bool) -> None:
        trained.append(literal)
        folder.mkdir()

    def measure(plan: Plan, section: MotionSection, drawn: Drawn, arm: str, motion: Path, sheet: Path) -> list[dict]:
        assert motion.is_dir() == (arm not in ("none", "led", "drawn"))
        measured.append(arm)
        if measured == ["swap", "swap_led"]:
            raise KeyboardInterrupt
        return [{**dict.fromkeys(FIGURES, 0.5)}]

    monkeypatch.setattr(transfer, "finetune_for", finetune)
    monkeypatch.setattr(transfer, "measure", measure)
    with pytest.raises(KeyboardInterrupt):
        transfer.measure_once(0, "swap", 1)
    assert list(transfer.measure_once(0, "swap", 1)) == ["swap", "swap_led"]
    assert trained == [False] and measured == ["swap", "swap_led", "swap_led"]
    for training in ("swap", "drawn", "naive"):
        transfer.measure_once(0, training, 1)
    assert trained == [False, True] and measured[3:] == ["drawn", "naive"]
    Path("runs/toys/refinetune").mkdir(parents=True)
    Path("runs/toys/refinetune/a.safetensors").write_bytes(b"other subjects")
    transfer.measure_once(0, "swap", 1)
    assert trained == [False, True] and measured[5:] == ["swap", "swap_led"]
    change("motion", {"lora_rank": 4})
    transfer.measure_once(0, "swap", 1)
    assert trained == [False, True, False]


def test_what_is_drawn_is_read_as_it_is(jury: Jury) -> None:
    """The ceiling of both figures: the demo's own toys on a reference's path."""
    clip = draw_truth(PLAN.references[0], SUBJECTS, "snow", 5)
    rows = judge_clip(jury, clip, PLAN, PLAN.references[0], know(jury, clip, SUBJECTS))
    assert [row["kind"] for row in rows] == list(SUBJECTS) and all(row["path"] > 0.95 and row["own"] > 0.8 for row in rows), rows


def test_arms_are_compared_over_references() -> None:
    def rows(value: float) -> list[dict]:
        return [{"path": value, "own": 1.0, "identity": 0.9, "leak": 0.0, "absent": 0.0}] * 2

    report = summarise_arms({"swap": [rows(0.9), rows(0.8), rows(1.0)], "none": [rows(0.1), rows(0.0), rows(0.2)]})
    assert report["swap"]["path"]["value"] == 0.9 and report["swap"]["path"]["n"] == 3
    difference = report["differences"]["swap - none"]["path"]
    assert difference["value"] == 0.8 and difference["ci95"] == [0.8, 0.8]
