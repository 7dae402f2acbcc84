"""A clone-like folder with a random base in place of the embedded one and quick settings: what the slow and the browser tests run in."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import torch
import yaml
from safetensors.torch import save_file

from tests.conftest import write_tiny_base
from vd_core.metrics.judges import build_clip, build_detector, build_identity
from vd_core.toybox.pretraining.judges import CONFIG, half_precision

ROOT = Path(__file__).parent.parent
STAGES = ["mix", "finetune", "sample", "refinetune", "motion", "swap", "render", "evaluate"]


def write_random_judges(folder: Path) -> None:
    """Judges that have learnt nothing, as files."""
    torch.manual_seed(0)
    folder.mkdir(exist_ok=True)
    modules = {
        "detector": build_detector(len(CONFIG["labels"]), CONFIG["detector_size"]),
        "identity": build_identity(CONFIG["identity"]),
        "clip": build_clip(CONFIG["clip"]),
    }
    for name, module in modules.items():
        save_file(half_precision(module.state_dict()), folder / f"{name}.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))


def environment(cwd: Path) -> dict[str, str]:
    """This process's environment with this Python first on the path and the project's own packages first on its path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1", "PYTHONPATH": str(cwd)}


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess:
    """Run a command in the project."""
    return subprocess.run(command, cwd=cwd, env=environment(cwd), capture_output=True, text=True, check=False)


def change(project: Path, section: str, key: str, value: object) -> None:
    """Change one parameter."""
    params = yaml.safe_load((project / "params.yaml").read_text())
    params[section][key] = value
    (project / "params.yaml").write_text(yaml.safe_dump(params))


def build_project(folder: Path) -> Path:
    """Write the project into the empty `folder`, with git and DVC set up."""
    for name in ("tasks", "vd_core", "flows", "data"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, folder)
    write_tiny_base(folder / "models" / "toybox", "sd1")
    write_random_judges(folder / "models" / "toybox" / "judges")
    quick = {
        "mix": {"count": 4},
        "finetune": {"steps": 2, "lora_rank": 2, "mixed_precision": "no", "validate_every": 2, "validation_pictures": 2},
        "hlr": {"candidates": 3, "refinetune_steps": 2, "min_picks": 2},
        "motion": {"steps": 1, "frames": 4},
        "render": {
            "num_inference_steps": 6,
            "t_forward": 4,
            "t_warp": 3,
            "text2video_zero_frames": 2,
            "animatediff_frames": 2,
            "seeds_tried": 2,
        },
    }
    for section, values in quick.items():
        for key, value in values.items():
            change(folder, section, key, value)
    run("git", "init", "-q", cwd=folder)
    run(sys.executable, "-m", "dvc", "init", "-q", cwd=folder)
    return folder
