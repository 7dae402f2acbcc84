"""DVC tells the truth: every stage's declared code and settings are what it imports and reads, and what changes reruns only what depends on it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tasks.shared.paths import STAGES
from tasks.shared.sections import Sections
from tasks.shared.yaml_files import overlay, read_yaml
from tests.helpers.imports import ROOT, import_closure
from tests.helpers.played_stages import calls, play_stages
from tests.helpers.project import build_project, environment, run
from tests.helpers.workspace import change, change_combination
from vd_core.toybox.world.demo import draw_subject

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
CODE = ("tasks/", "vd_core/", "flows/")


def code_deps(stage: str) -> list[str]:
    return [d for d in PIPELINE[stage]["do"]["deps"] if d.startswith(CODE)]


def test_the_stages_are_those_of_the_flow() -> None:
    assert tuple(PIPELINE) == STAGES
    assert set(Sections.model_fields) == set(STAGES) - {"settings"}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stages_code_deps_are_what_it_imports(stage: str) -> None:
    """No imported module that is not under a dep, and no dep under which nothing is imported."""
    closure, deps = import_closure(Path(f"tasks/{stage}.py")), code_deps(stage)
    uncovered = [m for m in closure if not any(m == d or m.startswith(d + "/") for d in deps)]
    assert not uncovered
    needless = [d for d in deps if not any(m == d or m.startswith(d + "/") for m in closure)]
    assert not needless
    assert all((ROOT / d).exists() for d in deps)


@pytest.mark.parametrize("stage", STAGES[1:])
def test_a_stages_params_are_the_section_that_it_reads(stage: str) -> None:
    """A stage is called with its section alone: what is not in there it cannot read."""
    assert PIPELINE[stage]["do"]["params"] == [{"runs/${key}/settings.yaml": [stage]}]
    source = (ROOT / f"tasks/{stage}.py").read_text()
    model = Sections.model_fields[stage].annotation
    assert model is not None and f"run_stage({stage}, {model.__name__})" in source
    closure = import_closure(Path(f"tasks/{stage}.py"))
    readers = [m for m in closure if any(w in (ROOT / m).read_text() for w in ("load_params", "merge("))]
    assert not readers


def repro(project: Path) -> list[str]:
    """The stages that `dvc repro` ran."""
    done = run(sys.executable, "-m", "dvc", "repro", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.split("'")[1].split("@")[0] for line in done.stdout.splitlines() if line.startswith("Running stage")]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's own dvc.yaml; settings and mix are real, the rest is played. Everything has run once."""
    folder = build_project(tmp_path_factory.mktemp("project"))
    play_stages(folder, ["toys"], real=("settings", "mix"))
    (folder / "picks").mkdir()
    (folder / "picks" / "toys.yaml").write_text("approval: auto\nbest: 2\n")
    assert repro(folder) == list(STAGES)
    calls(folder)
    return folder


@pytest.mark.slow
def test_what_decides_nothing_reruns_nothing(project: Path) -> None:
    assert repro(project) == []
    (project / "data/toys/dog/.DS_Store").write_bytes(b"\0")
    (project / "data/toys/dog/._0.png").write_bytes(b"\0")
    recipe = project / "vd_core/toybox/pretraining/recipe.py"
    recipe.write_text(recipe.read_text().replace('"""The whole', '"""All of the', 1))
    (project / "vd_core/studies/speed.py").write_text("")
    assert repro(project) == []


@pytest.mark.slow
def test_frames_a_second_render_nothing_again(project: Path) -> None:
    change("encode", {"fps": 5}, project)
    assert repro(project) == ["settings", "encode", "export"]


@pytest.mark.slow
def test_another_bases_preset_touches_no_stage(project: Path) -> None:
    preset = read_yaml(project / "presets/toybox.yaml")
    (project / "presets/other.yaml").write_text(yaml.safe_dump(preset))
    assert repro(project) == ["settings"]
    (project / "presets/other.yaml").write_text(yaml.safe_dump(overlay(preset, {"mix": {"count": 99}})))
    assert repro(project) == ["settings"]
    (project / "models/other").mkdir()
    (project / "models/other/unet.safetensors").write_bytes(b"weights")
    assert repro(project) == ["settings"]


@pytest.mark.slow
def test_another_clip_trains_no_subject_again(project: Path) -> None:
    change_combination({"motion_prompt": "a bear sliding"}, project)
    assert repro(project) == ["settings", "motion", "swap", "render", "encode", "evaluate", "export"]
    clip = project / "data/toys/motion.mp4"
    from vd_core.inputs.clips import save_video

    save_video([Image.effect_noise((64, 64), 50 + i).convert("RGB") for i in range(8)], clip, 8)
    clip.with_suffix(".gif").unlink()  # two clips are one too many
    assert repro(project) == ["mix", "motion", "swap", "render", "encode", "evaluate", "export"]


@pytest.mark.slow
def test_another_picture_trains_no_motion_again(project: Path) -> None:
    picture = draw_subject("dog", ("orange", "yellow", "plain"), 12345, count=1)[0]
    Image.fromarray(picture).save(project / "data/toys/dog/9.png")
    ran = repro(project)
    assert "finetune" in ran and "motion" not in ran


@pytest.mark.slow
def test_an_edited_file_of_code_reruns_the_stages_that_import_it(project: Path) -> None:
    """An edited training loop left every output "up to date"."""
    loop = project / "vd_core/training/loop.py"
    loop.write_text(loop.read_text() + "\n# edited\n")
    ran = repro(project)
    assert {"finetune", "refinetune", "motion"} <= set(ran) and not {"mix", "encode"} & set(ran)


@pytest.mark.slow
def test_settings_edited_while_a_stage_runs_are_never_up_to_date_with_the_old_output(project: Path) -> None:
    """The stage goes on with what it was started with, and DVC records that; afterwards it is stale."""
    calls(project)  # forget what ran before
    (project / "slow-finetune").touch()
    change("finetune", {"schedule": {"steps": 50}}, project)
    command = [sys.executable, "-m", "dvc", "repro", "finetune@toys"]
    with subprocess.Popen(command, cwd=project, env=environment(project), stdout=subprocess.DEVNULL) as running:
        deadline = time.monotonic() + 120
        while "finetune@toys" not in calls(project):
            assert running.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)
        change("finetune", {"schedule": {"steps": 60}}, project)
    assert running.returncode == 0
    (project / "slow-finetune").unlink()
    recorded = yaml.safe_load((project / "dvc.lock").read_text())["stages"]["finetune@toys"]["params"]
    assert recorded["runs/toys/settings.yaml"]["finetune"]["training"]["schedule"]["steps"] == 50
    ran = repro(project)
    assert ran[:2] == ["settings", "finetune"]


@pytest.mark.slow
def test_a_combination_that_takes_finetuned_subjects_is_stale_when_they_are(project: Path) -> None:
    """`finetune_from`: its own stages that train never do, and DVC knows whose subjects its videos show."""

    def ran() -> list[str]:
        done = run(sys.executable, "-m", "dvc", "repro", "export@again", cwd=project)
        assert done.returncode == 0, done.stdout + done.stderr
        return [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")]

    repro(project)
    toys = read_yaml(project / "params.yaml")["combinations"]["toys"]
    change_combination(toys | {"prompts": ["in the city"], "motion_prompt": None}, project, "again")
    (project / "data/again").mkdir()
    (project / "data/again/subjects.txt").write_text("those of toys")
    own = [f"{s}@again" for s in ("settings", "mix", "motion", "swap", "render", "encode", "evaluate", "export")]
    assert sorted(ran()) == sorted(own)  # neither of the stages that finetune
    change_combination({"prompts": ["in the snow"]}, project, "again")
    assert ran() == [f"{s}@again" for s in ("settings", "render", "encode", "evaluate", "export")]
    change("hlr", {"steps": 9}, project)  # the owner's re-finetuning
    assert {"refinetune@toys", "swap@again", "export@again"} <= set(ran())


@pytest.mark.slow
def test_curves_of_every_combination_are_drawn(project: Path) -> None:
    curves = project / "metrics/losses/toys-finetune.csv"
    assert curves.is_file()
    (project / "metrics/losses/pets-finetune.csv").write_text("step,loss\n10,0.5\n20,0.4\n")
    curves.write_text("step,loss\n10,0.5\n20,0.4\n")
    done = run(sys.executable, "-m", "dvc", "plots", "show", "--json", cwd=project)
    assert "toys-finetune.csv" in done.stdout and "pets-finetune.csv" in done.stdout
