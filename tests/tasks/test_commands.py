"""A stage's command line: one line of error, exit code 1, and the last good output stays."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from flows.words import last_word
from tasks.shared.command import replaced_folder
from tests.helpers.workspace import ROOT, run_stages
from vd_core.errors import InputError


def test_a_failing_stage_leaves_the_last_good_output(workspace: Path) -> None:
    run_stages("mix")
    before = Path("runs/toys/mix/sheet.jpg").read_bytes()
    Path("data/toys/dog/0.png").write_text("broken")
    with pytest.raises(InputError):
        run_stages("mix")
    assert before == Path("runs/toys/mix/sheet.jpg").read_bytes()


def test_weights_can_be_read_by_whoever_can_read_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """safetensors' files had the mode 600, in the exported bundle too."""
    monkeypatch.chdir(tmp_path)
    with replaced_folder("toys", "swap") as folder:
        (folder / "about.json").write_text("{}")
        (folder / "motion_adapter").mkdir()
        save_file({"a": torch.zeros(2)}, folder / "motion_adapter" / "weights.safetensors")
    modes = {path.stat().st_mode for path in Path("runs/toys/swap").rglob("*") if path.is_file()}
    assert len(modes) == 1


def test_a_kill_while_writing_leaves_the_last_good_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    target = Path("runs/toys/out")
    with replaced_folder("toys", "out") as folder:
        (folder / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), replaced_folder("toys", "out") as folder:
        (folder / "a").write_text("new")
        raise KeyboardInterrupt
    assert (target / "a").read_text() == "old"


def test_the_same_work_goes_on_where_it_was_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other work, and work without a name, begins with an empty folder; files that are half written go."""
    monkeypatch.chdir(tmp_path)
    found = []
    for work in ("one", "one", "two", "", "one"):
        with pytest.raises(KeyboardInterrupt), replaced_folder("toys", "out", work) as folder:
            found.append(sorted(p.name for p in folder.iterdir()))
            (folder / f"{work}.png").write_text("whole")
            (folder / "list.json.7.tmp").write_text("half")
            raise KeyboardInterrupt
    assert found == [[], ["one.png"], [], [], []]
    with replaced_folder("toys", "out", "one"):
        pass
    assert sorted(p.name for p in Path("runs/toys").rglob("*")) == ["one.png", "out"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_the_command_line_says_one_line_and_exits_1(workspace: Path) -> None:
    run_stages()
    (workspace / "data" / "toys" / "dog" / "0.png").write_text("broken")
    command = [sys.executable, "-m", "tasks.mix", "toys"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=workspace, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == "error: data/toys/dog/0.png is not a readable picture (UnidentifiedImageError); replace or remove it"
    assert "Traceback" in subprocess.run([*command, "--debug"], capture_output=True, text=True, cwd=workspace, check=False).stderr


@pytest.mark.parametrize(
    ("body", "said", "code"),
    [
        ("Path('/dev/full').write_text('x')", "error: the disk is full; make room, and run this again: finished stages stand", 1),
        (
            "signal.signal(signal.SIGINT, signal.default_int_handler) and os.kill(os.getpid(), signal.SIGINT)",
            "interrupted; what is finished stands, a training goes on from its last checkpoint, and a render after its last video",
            130,
        ),
    ],
)
def test_a_full_disk_and_an_interrupt_are_one_line(body: str, said: str, code: int) -> None:
    """A full disk was 113 lines."""
    program = f"import os, signal; from pathlib import Path; from tasks.shared.command import run_command; run_command(lambda name: {body})"
    done = subprocess.run([sys.executable, "-c", program, "toys"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.stderr.strip(), done.returncode) == (said, code)


def test_an_interrupt_while_libraries_are_imported_is_one_line() -> None:
    program = "import tasks; raise KeyboardInterrupt"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False).stderr == "interrupted\n"


def test_an_interrupt_that_a_library_takes_for_another_error_is_one_line(tmp_path: Path) -> None:
    """numpy's half-imported dtypes became a RecursionError of a thousand lines."""
    package = tmp_path / "tasks"
    shutil.copytree(ROOT / "tasks", package, ignore=lambda folder, names: [n for n in names if n != "__init__.py"])
    (package / "hasty.py").write_text("import tasks.swallowing\nprint('went on')\n")
    (package / "swallowing.py").write_text(
        "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\nexcept KeyboardInterrupt:\n    raise RuntimeError('another error')\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "tasks.hasty"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert (done.stdout, done.stderr, done.returncode) == ("", "interrupted\n", -signal.SIGINT)


@pytest.mark.slow
def test_the_last_line_of_a_traceback_is_whole() -> None:
    """A framed traceback cut its last line at 80 characters, and the flow says that line."""
    program = "from tasks.shared.command import run_command; run_command(lambda name: {}['x' * 200])"
    done = subprocess.run([sys.executable, "-c", program, "toys"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert last_word([*done.stderr.splitlines(), "ERROR: failed"]) == f"KeyError: '{'x' * 200}'"
