"""A stage's command line: one line of error, exit code 1, and the last good output stays."""

import subprocess
import sys
from pathlib import Path

import pytest

from tasks.shared.command import replaced_folder
from tests.helpers.workspace import run_stages
from vd_core.errors import InputError


def test_a_failing_stage_leaves_the_last_good_output(workspace: Path) -> None:
    run_stages("mix")
    before = Path("runs/toys/mix/sheet.jpg").read_bytes()
    Path("data/toys/dog/0.png").write_text("broken")
    with pytest.raises(InputError):
        run_stages("mix")
    assert before == Path("runs/toys/mix/sheet.jpg").read_bytes()


def test_a_kill_while_writing_leaves_the_last_good_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    target = Path("runs/toys/out")
    with replaced_folder("toys", "out") as folder:
        (folder / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), replaced_folder("toys", "out") as folder:
        (folder / "a").write_text("new")
        raise KeyboardInterrupt
    assert (target / "a").read_text() == "old"


def test_the_command_line_says_one_line_and_exits_1(workspace: Path) -> None:
    run_stages()
    (workspace / "data" / "toys" / "dog" / "0.png").write_text("broken")
    command = [sys.executable, "-m", "tasks.mix", "toys"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=workspace, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == "error: data/toys/dog/0.png is not a readable picture (UnidentifiedImageError); replace or remove it"
    assert "Traceback" in subprocess.run([*command, "--debug"], capture_output=True, text=True, cwd=workspace, check=False).stderr
