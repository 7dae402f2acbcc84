"""Photographs on the embedded base run, and a person is told once that a likeness needs another one. It was said nowhere."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tasks.checks.everything import check_everything
from tasks.checks.given import find_photographs
from tasks.commands.new import main
from tasks.shared.merging import load_params, merge
from tests.helpers.imports import ROOT
from tests.helpers.pictures import noise_picture
from tests.helpers.workspace import run_stages

pytestmark = pytest.mark.parametrize("kind", ["sd1"], indirect=True)
SAID = "pictures of up to 300 pixels on a base that draws toys of 16: it runs, but a likeness of photographs needs sd15 or sd21"
READER = Path("base/judges/reader.safetensors")


@pytest.fixture
def photographs(workspace: Path) -> Path:
    """The workspace as the embedded base's, whose judges have a reader of drawn toys, and one photograph among the toys."""
    READER.touch()
    noise_picture(0, (300, 200)).save("data/toys/dog/photograph.png")
    return Path("data/toys/dog/photograph.png")


def test_the_mix_stage_says_it_and_goes_on(photographs: Path, kind: str, capsys: pytest.CaptureFixture) -> None:
    run_stages("mix")
    assert capsys.readouterr().out.count(SAID) == 1
    photographs.unlink()
    run_stages("mix")
    assert "likeness" not in capsys.readouterr().out


def test_check_warns_of_it_and_stops_nothing(photographs: Path, kind: str) -> None:
    assert [(f.state, f.said) for f in check_everything("toys") if f.what == "base"] == [("warning", SAID)]
    READER.unlink()  # another base, whose judges lie in a folder too
    assert not [f for f in check_everything("toys") if f.what == "base"]


def test_new_says_it(photographs: Path, kind: str) -> None:
    import typer

    app = typer.Typer()
    app.command()(main)
    noun = ("--subject", f"dog={photographs.parent}")
    done = CliRunner().invoke(app, ["pets", *noun, "--prompt", "in the snow", "--base", "toybox"])
    assert done.exit_code == 0 and done.output.count(SAID) == 1
    photographs.unlink()
    assert "likeness" not in CliRunner().invoke(app, ["drawn", *noun, "--prompt", "in the snow", "--base", "toybox"]).output


def test_the_embedded_base_is_known_by_what_is_there(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    merged = merge(load_params(), "toys")
    assert find_photographs(merged, [64, 300]) == SAID.replace("toys of 16", "toys of 64")
    assert find_photographs(merged, [64, 256]) is None
