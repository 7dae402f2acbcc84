"""The whole pipeline through DVC on a random base with random judges: what reruns and what does not."""

import sys
from pathlib import Path

import pytest

from tasks.shared.paths import STAGES
from tests.helpers.project import build_project, run

pytestmark = pytest.mark.slow


def repro(cwd: Path) -> tuple[int, list[str], str]:
    """`dvc repro`: its exit code, the stages that ran, and all that was said."""
    done = run(sys.executable, "-m", "dvc", "repro", cwd=cwd)
    said = done.stdout + done.stderr
    return done.returncode, [s for s in STAGES if f"Running stage '{s}@toys'" in said], said


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One project for all tests here, which follow one another."""
    return build_project(tmp_path_factory.mktemp("project"))


def test_the_life_of_a_combination(project: Path) -> None:
    code, ran, said = repro(project)
    assert code != 0
    assert "sample" in ran
    assert "nobody has chosen yet: look at the sheet and choose by numbers, as this says: python -m tasks.commands.pick toys" in said
    assert "picks/toys.yaml" in said  # what DVC misses
    assert not (project / "runs" / "toys" / "refinetune").exists()

    picked = run(sys.executable, "-m", "tasks.commands.pick", "toys", "1", "3", "--name", "Ann", cwd=project)
    assert picked.returncode == 0, picked.stderr
    code, _, said = repro(project)
    assert code == 0, said
    assert (project / "metrics" / "toys.json").is_file()

    assert repro(project)[1] == []

    run(sys.executable, "-m", "tasks.commands.pick", "toys", "1", "2", "--name", "Ann", cwd=project)
    assert repro(project)[1] == ["refinetune", "swap", "render", "encode", "evaluate", "export"]

    (project / "runs" / "toys" / "swap" / "generator.json").unlink()
    code, _, _ = repro(project)
    assert code == 0
    assert (project / "runs" / "toys" / "swap" / "generator.json").is_file()


def test_wrong_numbers_are_refused(project: Path) -> None:
    before = (project / "picks" / "toys.yaml").read_text()
    for numbers, message in ((["1", "9"], "there is no candidate 9"), (["1"], "at least 2 are needed")):
        done = run(sys.executable, "-m", "tasks.commands.pick", "toys", *numbers, cwd=project)
        assert done.returncode == 1
        assert message in done.stderr
    assert (project / "picks" / "toys.yaml").read_text() == before


def test_a_failing_stage_keeps_what_was_there(project: Path) -> None:
    before = (project / "runs" / "toys" / "mix" / "sheet.jpg").read_bytes()
    picture = project / "data" / "toys" / "dog" / "0.png"
    good = picture.read_bytes()
    picture.write_text("broken")
    code, _, said = repro(project)
    assert code != 0
    assert "error: data/toys/dog/0.png is not a readable picture" in said
    assert (project / "runs" / "toys" / "mix" / "sheet.jpg").read_bytes() == before
    picture.write_bytes(good)
    assert repro(project)[1] == []
