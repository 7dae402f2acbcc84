"""`check`: what stops a run is said at once, before anything is computed; and every stage says it before it draws."""

import hashlib
import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import open_clip
import pytest
from torchvision.models.detection import FasterRCNN_MobileNet_V3_Large_FPN_Weights
from typer.testing import CliRunner

import tasks.shared.opening
import vd_core.hub as hub
from tasks.checks.everything import check_everything, check_weights, refuse
from tasks.checks.given import check_spelling, open_tokenizer
from tasks.checks.machine import check_memory, check_server
from tasks.shared.picks import pick_candidates, read_candidates, write_picks
from tasks.shared.yaml_files import read_yaml
from tests.helpers.candidates import write_candidates
from tests.helpers.imports import ROOT
from tests.helpers.workspace import change, change_combination, run_stages
from vd_core.bases.wanted import wanted_parts
from vd_core.errors import InputError
from vd_core.hub import Wanted, ask_together, locate
from vd_core.metrics.wanted import wanted_public_judges
from vd_core.settings import FilePart, Part, PublicJudges, Source

ONE = pytest.mark.parametrize("kind", ["sd1"], indirect=True)
COMMIT = "0123456789abcdef0123456789abcdef01234567"


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


@pytest.mark.parametrize(
    ("prompts", "strange"), [(["are surfing in the ocean"], "'surfing'"), (["in the snow", "are jumping on the beach"], None)]
)
def test_words_that_the_embedded_base_was_never_taught_are_named(
    monkeypatch: pytest.MonkeyPatch, prompts: list[str], strange: str | None
) -> None:
    monkeypatch.chdir(ROOT)
    found = [f for f in check_spelling(prompts, open_tokenizer(Part("models/toybox", None))) if f.state == "warning"]
    assert [strange in f.said for f in found] == ([True] if strange else [])


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


def keep(cache: Path, repository: str, *files: str) -> None:
    """Files of a repository in a hub's cache."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    for file in files:
        path = folder / "snapshots" / COMMIT / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(COMMIT)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub's cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


MOTION = Wanted("motion modules", "someone/motion", None, (("config.json",), ("a.safetensors", "a.safetensors.index.json")))


def test_the_hubs_cache_is_looked_into_without_a_question(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "ask_hub", lambda *_: pytest.fail("the hub was asked"))
    keep(cache, "someone/motion", "config.json", "a.safetensors")
    assert [p.state for p in locate([MOTION])] == ["here"]


def test_what_is_cached_without_a_pinned_revision_is_named_by_its_commit(cache: Path) -> None:
    """So that a person can pin it, and two people can see that they used the same weights."""
    keep(cache, "someone/motion", "config.json", "a.safetensors")
    assert check_weights(locate([MOTION])[0]).said.endswith(f"no revision is pinned, this is {COMMIT}")
    assert "pinned" not in check_weights(locate([replace(MOTION, revision=COMMIT)])[0]).said


def test_what_is_not_in_the_cache_is_fetched_or_missing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(cache, "someone/motion", "config.json")
    monkeypatch.setattr(hub, "ask_hub", lambda *_: {"config.json": 5, "a.safetensors": 7_000})
    assert [(p.state, p.size) for p in locate([MOTION])] == [("to fetch", 7_000)]
    monkeypatch.setattr(hub, "ask_hub", lambda *_: {"config.json": 5})
    assert "has no a.safetensors on the hub" in locate([MOTION])[0].reason
    monkeypatch.setattr(hub, "ask_hub", lambda *_: "the hub does not answer")
    assert "the hub does not answer" in locate([MOTION])[0].reason
    monkeypatch.setattr(hub, "is_offline_mode", lambda: True)
    assert "HF_HUB_OFFLINE is set" in locate([MOTION])[0].reason


def test_an_index_without_its_shards_is_not_whole(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "a.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": "a-1.safetensors", "y": "a-2.safetensors"}}))
    (tmp_path / "a-1.safetensors").write_text("x")
    wanted = Wanted("w", str(tmp_path), None, MOTION.files)
    assert locate([wanted])[0].state == "missing"
    (tmp_path / "a-2.safetensors").write_text("y")
    assert locate([wanted])[0].state == "here"


def test_a_host_that_never_answers_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name's look-up has no timeout of its own."""
    monkeypatch.setattr(hub, "SECONDS", 0.0)
    start = time.monotonic()
    replies = ask_together([lambda: time.sleep(30) or {}, lambda: {"a": 1}])
    assert time.monotonic() - start < 5
    assert isinstance(replies[0], str) and replies[1] == {"a": 1}


def test_what_a_base_needs_is_what_it_is_loaded_from(base_folders: dict[str, Path]) -> None:
    folder = base_folders["sd1"]
    part = Part(str(folder), None)
    source = Source(part, Part(f"{folder}/image_encoder", None), Part(f"{folder}/motion_adapter", None), None)
    assert {p.state for p in locate(wanted_parts(source, motion=True))} == {"here"}
    presets = [read_yaml(ROOT / "presets" / f"{name}.yaml")["source"]["pipeline"]["path"] for name in ("sd15", "sd21")]
    assert not any(Path(p).exists() for p in presets)


def test_a_file_of_other_content_than_the_pinned_stops_a_run(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("x")
    place = locate([Wanted("judge: identity", str(tmp_path), None, (("model.safetensors",),), sha256="0" * 64)])[0]
    assert check_weights(place).state == "stops" and "is not the file that the preset pins" in check_weights(place).said
    own = replace(place, wanted=replace(place.wanted, sha256=hashlib.sha256(b"x").hexdigest()))
    assert check_weights(own).state == "ok"


def test_the_public_judges_are_where_their_libraries_look() -> None:
    public = PublicJudges(FilePart("a/dino", "1"), FilePart("a/clip", None), Part("a/owl", "2"))
    by_name = {w.name: w for w in wanted_public_judges(public, ["dog", "bear plushie"])}
    assert by_name["judge: detector"].url == FasterRCNN_MobileNet_V3_Large_FPN_Weights.DEFAULT.url
    assert (by_name["judge: open detector"].path, by_name["judge: open detector"].revision) == ("a/owl", "2")
    assert "judge: open detector" not in {w.name for w in wanted_public_judges(public, ["dog", "tabby cat"])}
    assert (by_name["judge: identity"].path, by_name["judge: identity"].revision) == ("a/dino", "1")
    named = read_yaml(ROOT / "presets/sd15.yaml")["judges"]["clip"]["path"]
    assert named == open_clip.get_pretrained_cfg("ViT-B-32", "openai")["hf_hub"].rstrip("/")


def test_memory_is_held_against_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    merged = SimpleNamespace(base="sd15", motion_prompt="a man is skiing")
    assert check_memory(merged, "a GPU", 8.0).said.endswith("not measured")
    Path("metrics").mkdir()
    Path("metrics/fullsize.json").write_text(
        json.dumps({"device": "CPU, 2 cores", "bases": {"sd15": {"finetune": {"gigabytes": 6.0}, "motion": {"gigabytes": 20.0}}}})
    )
    tight, roomy = check_memory(merged, "a GPU", 8.0), check_memory(merged, "a GPU", 24.0)
    assert (tight.state, roomy.state) == ("warning", "ok")
    assert "18.6 GiB for motion, measured on CPU, 2 cores, where nothing is in 16 bits" in tight.said
    still = check_memory(SimpleNamespace(base="sd15", motion_prompt=None), "a GPU", 8.0)
    assert still.state == "ok" and "5.6 GiB for finetune" in still.said


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
