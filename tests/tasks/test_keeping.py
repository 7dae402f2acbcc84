"""A study that begins on one machine and ends on another."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tasks.commands.study as command
from tasks.studies.figures import cell_folder, collect, read_scored
from tasks.studies.keeping import keep, take_back
from tasks.studies.plan import plan_study
from tasks.studies.report import describe_run, measured_seconds, write_report
from tasks.studies.running import work_left
from tasks.studies.scoring import FIGURES
from tasks.studies.store import note_seconds, score_path
from tasks.studies.units import Clips, list_units
from tests.helpers.studies import write_study_workspace
from tests.helpers.workspace import change
from vd_core.errors import InputError


@pytest.fixture
def units(tmp_path: Path, base_folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> list[Clips]:
    """A small study's units, in its folder."""
    write_study_workspace(tmp_path, base_folders["sd1"])
    monkeypatch.chdir(tmp_path)
    return list_units(plan_study("toybox", "quick"))


def score(units: list[Clips], store: Path) -> None:
    """Figures of every clip, each with its own."""
    for i, video in enumerate(v for unit in units for v in unit.videos):
        folder = score_path(store, video.score)
        folder.mkdir(parents=True)
        (folder / FIGURES).write_text(json.dumps({"subject_fidelity": 0.1 + i / 7, "binding": 1.0, "blend": None}))
        note_seconds(folder, 2.0)


def test_figures_from_another_machine_are_done_to_the_last_bit(units: list[Clips], tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    score(units[:3], here)
    path, count = keep("toybox-quick", units, here)
    assert path == Path("metrics/studies/toybox-quick.csv") and count == sum(len(u.videos) for u in units[:3])
    assert take_back("toybox-quick", units, there) == count
    assert [work_left(u, there) == () for u in units] == [True] * 3 + [False] * (len(units) - 3)
    for unit in units[:3]:
        assert [read_scored(unit, v, there) for v in unit.videos] == [read_scored(unit, v, here) for v in unit.videos]
    assert take_back("toybox-quick", units, there) == 0


def test_a_study_that_was_done_elsewhere_is_collected_without_its_clips(units: list[Clips], tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    score(units, here)
    keep("toybox-quick", units, here)
    take_back("toybox-quick", units, there)
    own = [u for u in units if u.variant == "disen_mix"]
    folder = collect("toybox-quick", own, there)
    assert folder == cell_folder("toybox-quick", "disen_mix", own[0].combination)
    assert len(json.loads((folder / "figures.json").read_text())) == 6 and not list(folder.glob("clips/*/*"))
    collect("toybox-quick", [u for u in units if u.variant == "dreambooth"], there)
    assert "Table I" in Path(write_report(plan_study("toybox", "quick"))["page"]).read_text()
    assert describe_run(units, there) == {"finetuning": 0, "rendering": 0, "scoring": 0} and describe_run(units, here)["scoring"] == 24
    with pytest.raises(InputError, match="no finetuning was timed on this machine"):
        measured_seconds(units, there)


def test_figures_of_other_settings_are_not_taken(units: list[Clips], tmp_path: Path) -> None:
    score(units, tmp_path / "here")
    keep("toybox-quick", units, tmp_path / "here")
    change("finetune", {"schedule": {"steps": 3}})
    assert take_back("toybox-quick", list_units(plan_study("toybox", "quick")), tmp_path / "there") == 0


def test_the_commands(units: list[Clips], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "STORE", tmp_path / "here")
    score(units, tmp_path / "here")
    assert CliRunner().invoke(command.app, ["keep"]).output == "metrics/studies/toybox-quick.csv: the figures of 12 clips\n"
    monkeypatch.setattr(command, "STORE", tmp_path / "there")
    assert CliRunner().invoke(command.app, ["take-back"]).output == "the figures of 12 clips need not be computed again\n"
