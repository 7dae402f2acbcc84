"""Where weights are: here, in the hub's cache, to be fetched or missing; and whether they are the pinned ones."""

import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path

import open_clip
import pytest
from torchvision.models.detection import FasterRCNN_MobileNet_V3_Large_FPN_Weights

import vd_core.hub as hub
from tasks.checks.everything import check_weights
from tasks.shared.yaml_files import read_yaml
from tests.helpers.imports import ROOT
from vd_core.bases.wanted import wanted_parts
from vd_core.hub import Wanted, ask_together, locate
from vd_core.metrics.wanted import wanted_public_judges
from vd_core.settings import FilePart, Part, PublicJudges, Source

COMMIT = "0123456789abcdef0123456789abcdef01234567"


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
