"""The whole pipeline through DVC on a random base with random judges: what reruns and what does not."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from tests.conftest import write_tiny_base
from vd_core.metrics.judges import build_clip, build_detector, build_identity
from vd_core.toybox.judges import CONFIG, half_precision

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parent.parent
STAGES = ["mix", "finetune", "sample", "refinetune", "motion", "swap", "render", "evaluate"]


def write_random_judges(folder: Path) -> None:
    """Judges that have learnt nothing, as files."""
    import json

    from safetensors.torch import save_file

    torch.manual_seed(0)
    folder.mkdir()
    modules = {
        "detector": build_detector(len(CONFIG["labels"]), CONFIG["detector_size"]),
        "identity": build_identity(CONFIG["identity"]),
        "clip": build_clip(CONFIG["clip"]),
    }
    for name, module in modules.items():
        save_file(half_precision(module.state_dict()), folder / f"{name}.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "DVC_NO_ANALYTICS": "1", "PYTHONPATH": str(cwd)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def repro(cwd: Path) -> tuple[int, list[str], str]:
    """`dvc repro`: its exit code, the stages that ran, and all that was said."""
    done = run(sys.executable, "-m", "dvc", "repro", cwd=cwd)
    said = done.stdout + done.stderr
    return done.returncode, [s for s in STAGES if f"Running stage '{s}@toys'" in said], said


def change(project: Path, section: str, key: str, value: object) -> None:
    params = yaml.safe_load((project / "params.yaml").read_text())
    params[section][key] = value
    (project / "params.yaml").write_text(yaml.safe_dump(params))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone-like folder with a random base in place of the embedded one, and quick settings."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("tasks", "vd_core", "flows", "data"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, folder)
    write_tiny_base(folder / "models" / "toybox", "sd1")
    write_random_judges(folder / "models" / "toybox" / "judges")
    change(folder, "mix", "count", 4)
    for key, value in {"steps": 2, "lora_rank": 2, "mixed_precision": "no"}.items():
        change(folder, "finetune", key, value)
    for key, value in {"candidates": 3, "refinetune_steps": 2}.items():
        change(folder, "hlr", key, value)
    change(folder, "hlr", "min_picks", 2)
    change(folder, "motion", "steps", 1)
    change(folder, "motion", "frames", 4)
    quick = {"num_inference_steps": 6, "t_forward": 4, "t_warp": 3, "text2video_zero_frames": 2, "animatediff_frames": 2}
    for key, value in quick.items():
        change(folder, "render", key, value)
    run("git", "init", "-q", cwd=folder)
    run(sys.executable, "-m", "dvc", "init", "-q", cwd=folder)
    return folder


def test_the_life_of_a_combination(project: Path) -> None:
    code, ran, said = repro(project)
    assert code != 0
    assert "picks/toys.yaml" in said  # no picks yet: it says what is missing
    assert "refinetune" not in ran

    picked = run(sys.executable, "-m", "flows.approval", "pick", "toys", "1", "3", "--name", "Ann", cwd=project)
    assert picked.returncode == 0, picked.stderr
    code, _, said = repro(project)
    assert code == 0, said
    assert (project / "metrics" / "toys.json").is_file()

    assert repro(project)[1] == []

    change(project, "render", "fps", 4)
    assert repro(project)[1] == ["render", "evaluate"]

    run(sys.executable, "-m", "flows.approval", "pick", "toys", "1", "2", "--name", "Ann", cwd=project)
    assert repro(project)[1] == ["refinetune", "swap", "render", "evaluate"]

    (project / "runs" / "toys" / "swap" / "generator.json").unlink()
    code, _, _ = repro(project)
    assert code == 0
    assert (project / "runs" / "toys" / "swap" / "generator.json").is_file()


def test_wrong_numbers_are_refused(project: Path) -> None:
    before = (project / "picks" / "toys.yaml").read_text()
    for numbers, message in ((["1", "9"], "there is no candidate 9"), (["1"], "at least 2 are needed")):
        done = run(sys.executable, "-m", "flows.approval", "pick", "toys", *numbers, cwd=project)
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
