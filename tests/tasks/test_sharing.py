"""docs/sharing.md, command by command: what a colleague pulls is what was pushed, and nothing is computed again."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.pictures import noise_picture
from tests.helpers.project import ROOT, build_project, environment, run

pytestmark = pytest.mark.slow
BLOCK = re.compile(r"^```sh (you|colleague)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def replay(commands: str, cwd: Path, places: dict[str, str]) -> str:
    """Run a block's lines as a shell would, where `places` stand for the document's; all that was said."""
    for written, real in places.items():
        commands = commands.replace(written, real)
    lines = [f"{shlex.quote(sys.executable)} -m {line}" if line.startswith("dvc ") else line for line in commands.splitlines()]
    done = subprocess.run(["bash", "-euc", "\n".join(lines)], cwd=cwd, env=environment(Path()), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{commands}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose combination pets was made by `new` and ran to its end; git has its beginning, at a server that is a folder."""
    root = tmp_path_factory.mktemp("sharing")
    (root / "yours").mkdir()
    project = build_project(root / "yours")
    (project / ".gitignore").write_text("/runs/\n/.cache/\n/metrics/losses/\n/metrics/curves/\n/metrics/validation/\n__pycache__/\n*.tmp\n")
    run("git", "init", "-q", "--bare", str(root / "videodreamer.git"), cwd=project)
    for key, value in (("user.name", "Ann"), ("user.email", "ann@example.org")):
        run("git", "config", key, value, cwd=project)
    run("git", "remote", "add", "origin", str(root / "videodreamer.git"), cwd=project)
    run("git", "add", "-A", cwd=project)
    assert run("git", "commit", "-q", "-m", "the project", cwd=project).returncode == 0
    for noun in ("dog", "cat"):
        (root / noun).mkdir()
        for i in range(2):
            noise_picture(i, (64, 64)).save(root / noun / f"{i}.png")
    subjects = [f"--subject={noun}={root / noun}" for noun in ("dog", "cat")]
    made = run(sys.executable, "-m", "tasks.commands.new", "pets", "--base", "toybox", *subjects, "--prompt", "in the snow", cwd=project)
    assert made.returncode == 0 and "data/pets is under DVC" in made.stdout, made.stdout + made.stderr
    for command in (("dvc", "repro", "sample@pets"), ("tasks.commands.pick", "pets", "1", "2"), ("dvc", "repro", "export@pets")):
        done = run(sys.executable, "-m", *command, cwd=project)
        assert done.returncode == 0, done.stdout + done.stderr
    return project


def test_a_colleague_has_what_was_made_and_computes_nothing(project: Path) -> None:
    root = project.parent
    places = {"/mnt/team/videodreamer.git": str(root / "videodreamer.git"), "/mnt/team/videodreamer": str(root / "large")}
    (root / "colleague").mkdir()
    for who, commands in BLOCK.findall((ROOT / "docs" / "sharing.md").read_text()):
        said = replay(commands, project if who == "you" else root / "colleague", places)
        if who == "colleague":
            assert "Running stage" not in said and "up to date" in said
    theirs = root / "colleague" / "videodreamer"
    for path in (
        "runs/pets/export/pytorch_lora_weights.safetensors",
        "runs/pets/export/index.html",
        "metrics/pets.json",
        "data/pets/dog/0.png",
    ):
        assert (theirs / path).read_bytes() == (project / path).read_bytes(), path
    tracked = run("git", "ls-files", "data", cwd=theirs).stdout.split()
    assert "data/pets.dvc" in tracked and not any(name.startswith("data/pets/") for name in tracked)
