"""`check`: what stops a run is said at once, before anything is computed; and every stage says it before it draws."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

import tasks.shared.opening
from tasks.checks.everything import check_everything, refuse
from tasks.checks.given import check_spelling, open_tokenizer
from tasks.checks.machine import GIB, check_device, check_memory, check_server
from tasks.shared.picks import pick_candidates, read_candidates, write_picks
from tests.helpers.candidates import write_candidates
from tests.helpers.imports import ROOT
from tests.helpers.workspace import change, change_combination, run_stages
from vd_core.errors import InputError
from vd_core.settings import Part

ONE = pytest.mark.parametrize("kind", ["sd1"], indirect=True)


def states(combination: str = "toys") -> dict[str, str]:
    """What stops, by name."""
    return {f.what: f.said for f in check_everything(combination) if f.state == "stops"}


@ONE
def test_all_that_stops_is_said_at_once(workspace: Path, kind: str) -> None:
    assert states() == {}
    refuse("toys")
    Path("base/judges/clip.safetensors").unlink()
    Path("data/toys/dog/0.png").write_text("broken")
    shutil.rmtree("data/toys/car")
    shutil.copytree("data/toys/dog", "data/toys/car")
    Path("data/toys/car/subject.yaml").write_text("class_noun: car\nplaceholder_token: unheard-of\n")
    Path("data/toys/motion.mp4").write_text("broken")
    change_combination({"prompts": ["on the beach", "very " * 90 + "far"]})
    found = states()
    assert "has no clip.safetensors" in found["judge: clip"]
    assert "0.png is not a readable picture" in found["dog"]
    assert "motion.mp4 is not a readable video" in found["clip"]
    assert "prompts[1]: 'a sks dog" in found["prompts"] and found["prompts"].endswith("far' would be cut off")
    assert "'unheard-of' is" in found["tokens"]
    with pytest.raises(InputError) as caught:
        refuse("toys")
    assert len(str(caught.value).splitlines()) == len(set(found.values()))


@ONE
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"motion_prompt": None}, "is not used, because motion_prompt is null"),
        ({"motion": {"finetune": False}}, "is not used, because motion.finetune and render.motion_from_clip are false"),
        ({"motion": {"finetune": False}, "render": {"motion_from_clip": True}}, "data/toys/motion.mp4, 4 of 16 frames"),
    ],
)
def test_a_clip_that_nothing_uses_is_named(workspace: Path, kind: str, changes: dict, said: str) -> None:
    change_combination(changes)
    (found,) = (f for f in check_everything("toys") if f.what == "clip")
    assert said in found.said
    assert (found.state == "warning") == ("not used" in said)


@ONE
def test_settings_that_no_prompt_uses_are_named(workspace: Path, kind: str) -> None:
    def said() -> list[str]:
        return [f.said for f in check_everything("toys") if f.what == "scenes"]

    assert said() == []
    change_combination({"regions": {"staged": 0.3}, "render": {"motion_from_clip": True}})
    assert said() == [
        "no prompt names the subjects, and regions.staged and AnimateDiff's render.motion_from_clip act on such alone; "
        "write {scene: on the beach, subjects: {dog: '', car: ''}}"
    ]
    change_combination({"prompts": ["in the city", {"scene": "on the beach", "subjects": {"dog": "", "car": ""}}]})
    assert said() == []
    change_combination({"render": {"motion_from_words": True}})
    assert said() == [
        "render.motion_from_words is true, and no subject's words say a way in an automatic layout; write as {subjects: {dog: is jumping}}"
    ]
    change_combination({"prompts": [{"scene": "on the beach", "subjects": {"dog": "is jumping", "car": ""}}]})
    assert said() == []


@pytest.mark.parametrize(
    ("prompts", "strange"), [(["are surfing in the ocean"], "'surfing'"), (["in the snow", "are jumping on the beach"], None)]
)
def test_words_that_the_embedded_base_was_never_taught_are_named(
    monkeypatch: pytest.MonkeyPatch, prompts: list[str], strange: str | None
) -> None:
    monkeypatch.chdir(ROOT)
    found = [f for f in check_spelling(prompts, open_tokenizer(Part("models/toybox", None))) if f.state == "warning"]
    assert [f.said.split(";")[0] for f in found] == ([f"this base does not know {strange}"] if strange else [])


@ONE
def test_wrong_settings_stop(workspace: Path, kind: str) -> None:
    change("motion", {"frames": 48})
    assert "hold at most 16" in states()["settings"]
    change("render", {"t_warp": 40})
    assert "t_warp" in states()["settings"]


@ONE
def test_the_command_draws_a_table_and_its_exit_code_says_whether_a_run_can_start(
    workspace: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import typer

    from tasks.commands.check import main

    app = typer.Typer()
    app.command()(main)
    assert CliRunner().invoke(app, ["toys"]).exit_code == 0
    Path("data/toys/motion.mp4").unlink()
    done = CliRunner().invoke(app, ["toys"])
    assert done.exit_code == 1 and "stops" in done.output and "motion.mp4 is missing" in done.output.replace("\n", " ")


def test_memory_is_held_against_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    merged = SimpleNamespace(base="sd15", learned_motion="a man is skiing")
    assert check_memory(merged, "a GPU", 8.0).said.endswith("not measured")
    Path("metrics").mkdir()
    Path("metrics/fullsize.json").write_text(
        json.dumps({"device": "CPU, 2 cores", "bases": {"sd15": {"finetune": {"gigabytes": 6.0}, "motion": {"gigabytes": 20.0}}}})
    )
    tight, roomy = check_memory(merged, "a GPU", 8.0), check_memory(merged, "a GPU", 24.0)
    assert (tight.state, roomy.state) == ("warning", "ok")
    assert "18.6 GiB for motion, measured on CPU, 2 cores, where nothing is in 16 bits" in tight.said
    still = check_memory(SimpleNamespace(base="sd15", learned_motion=None), "a GPU", 8.0)
    assert still.state == "ok" and "5.6 GiB for finetune" in still.said


@pytest.fixture
def old_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose GPU's driver is too old for this PyTorch: NVML counts it, CUDA does not."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA GeForce RTX 3090, 550.54.14'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda _: pytest.fail("asked of CUDA"))


@pytest.mark.parametrize(
    ("device", "unet", "state"), [("auto", 3 * GIB, "stops"), ("auto", 10, "warning"), ("cuda", 10, "stops"), ("cpu", 3 * GIB, "warning")]
)
def test_a_gpu_whose_driver_is_too_old_is_named(old_driver: None, device: str, unet: int, state: str) -> None:
    """A full-size base would compute for hours on the CPU beside it, without a word."""
    found = check_device(SimpleNamespace(device=device, processes=1), unet)
    assert found.state == state
    assert ("NVIDIA GeForce RTX 3090 (driver 550.54.14)" in found.said) == (device != "cpu")


def test_a_gpu_that_pytorch_was_not_built_for_is_named(old_driver: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was said to be fine."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda: (6, 1))
    monkeypatch.setattr("torch.cuda.get_arch_list", lambda: ["sm_75", "sm_90"])
    assert check_device(SimpleNamespace(device="auto", processes=1), 3 * GIB).state == "stops"


def test_a_server_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert check_server() == []
    monkeypatch.setitem(os.environ, "PREFECT_API_URL", "http://127.0.0.1:9/api")
    assert [f.state for f in check_server()] == ["warning"]


@pytest.mark.slow
@ONE
def test_every_judged_stage_misses_its_judges_before_it_opens_the_base(workspace: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`sample` drew all candidates and failed afterwards."""
    change("finetune", {"validation": {"every": 1}})
    change("render", {"seeds_tried": 2})
    run_stages("mix", "finetune")
    write_candidates(Path("runs/toys/sample"), 3)
    write_picks(pick_candidates(read_candidates(Path("runs/toys/sample")), [1, 2], "tester"), Path("picks/toys.yaml"))
    run_stages("refinetune", "motion", "swap")
    monkeypatch.setattr(tasks.shared.opening, "load_base", lambda *_: pytest.fail("the base was opened"))
    Path("base/judges/identity.safetensors").unlink()
    for stage in ("mix", "finetune", "sample", "refinetune", "render", "evaluate"):
        with pytest.raises(InputError, match=r"weights are missing \(judge: identity\): .*; put it there"):
            run_stages(stage)


@ONE
def test_render_misses_the_motion_modules_before_it_draws(
    workspace: Path, kind: str, base_folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were opened after all clips of the first generator."""
    shutil.copytree(base_folders["sd1"] / "motion_adapter", "adapter")
    change("source", {"motion_adapter": {"path": "adapter"}})
    change_combination({"motion_prompt": None})
    run_stages("mix", "finetune")
    shutil.copytree("runs/toys/finetune", "runs/toys/swap")
    next(Path("adapter").glob("*.safetensors")).unlink()
    monkeypatch.setattr(tasks.shared.opening, "load_base", lambda *_: pytest.fail("the base was opened"))
    with pytest.raises(InputError, match=r"weights are missing \(motion modules\)"):
        run_stages("render")


def test_the_embedded_base_is_checked_without_the_heavy_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """diffusers and open_clip take ten seconds to import."""
    import subprocess
    import sys

    code = "import sys; from tasks.checks.everything import check_everything as c; c('toys'); print([m for m in ('diffusers', 'open_clip') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
