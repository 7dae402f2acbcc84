"""A clone-like folder with a random base in place of the embedded one and quick settings: what the slow and the browser tests run in."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tasks.shared.yaml_files import overlay
from tests.helpers.bases import write_tiny_base
from tests.helpers.judges import write_random_judges
from tests.helpers.params import write_plain_params
from tests.helpers.workspace import QUICK, write_preset

ROOT = Path(__file__).parents[2]


def environment(cwd: Path) -> dict[str, str]:
    """This process's environment with this Python first on the path and the project's own packages first on its path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1", "PYTHONPATH": str(cwd)}


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess:
    """Run a command in the project."""
    return subprocess.run(command, cwd=cwd, env=environment(cwd), capture_output=True, text=True, check=False)


QUICKER = {
    "finetune": {"schedule": {"steps": 2}, "validation": {"every": 2}},
    "sampling": {"num_inference_steps": 6},
    "motion": {"schedule": {"steps": 1}},
    "render": {
        "num_inference_steps": 6,
        "t_forward": 4,
        "t_warp": 3,
        "text2video_zero_frames": 2,
        "animatediff_frames": 2,
        "seeds_tried": 2,
    },
}


def build_project(folder: Path) -> Path:
    """Write the project into the empty `folder`, with git and DVC set up."""
    for name in ("tasks", "vd_core", "flows", "data"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, folder)
    write_plain_params(folder)
    write_tiny_base(folder / "models" / "toybox", "sd1")
    write_random_judges(folder / "models" / "toybox" / "judges")
    write_preset(folder / "presets" / "toybox.yaml", "models/toybox", "models/toybox/judges", overlay(QUICK, QUICKER))
    run("git", "init", "-q", cwd=folder)
    run(sys.executable, "-m", "dvc", "init", "-q", cwd=folder)
    return folder
