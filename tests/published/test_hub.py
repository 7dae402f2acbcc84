"""What a person reads when weights cannot be had: one line that says what to do, from the hub's real exceptions."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

import vd_core.hub as hub
from tests.helpers.workspace import ROOT, change, run_stages
from vd_core.bases.hub import loading
from vd_core.bases.stable_diffusion import folder_source, load_base, read_tokenizer
from vd_core.errors import InputError
from vd_core.settings import Part

PART = Part("someone/something", "abc")


def answered(kind: type, message: str = "401 Client Error") -> Exception:
    return kind(message, response=httpx2.Response(401, request=httpx2.Request("GET", "https://huggingface.co")))


CASES = {
    "is gated: accept its terms at https://huggingface.co/someone/something": answered(GatedRepoError),
    "is not on the hub": answered(RepositoryNotFoundError),
    "removed or private": answered(DisabledRepoError),
    "has no revision abc; correct": answered(RevisionNotFoundError),
    "HF_HUB_OFFLINE is set; unset it": OfflineModeIsEnabled("offline"),
    "the hub cannot be reached; check the network": LocalEntryNotFoundError("no connection"),
    "pickles are not read": OSError("Error no file named diffusion_pytorch_model.safetensors found in directory x."),
    "cannot be loaded": OSError("a riddle\nof two lines"),
}


@pytest.mark.parametrize("words", CASES)
def test_every_failure_of_the_hub_is_one_line_that_says_what_to_do(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for wrapped in (False, True):  # diffusers and transformers raise an OSError from the hub's
        with pytest.raises(InputError, match=words) as caught, loading("base", PART):
            raise_it(CASES[words], wrapped and type(CASES[words]) is not OSError)
        assert "\n" not in str(caught.value) and "base 'someone/something'" in str(caught.value)


REFUSED = [words for words, error in CASES.items() if hasattr(error, "response")]


@pytest.mark.parametrize("words", REFUSED)
def test_check_says_what_a_stage_says(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gated repository, a wrong revision and a repository that is gone had other words in `check` than in a stage; one that is disabled was no answer."""
    monkeypatch.setattr(hub.HfApi, "model_info", lambda *_, **__: raise_it(CASES[words], False))
    with pytest.raises(InputError) as caught, loading("base", PART):
        raise_it(CASES[words], False)
    assert str(caught.value) == f"base 'someone/something' {str(hub.ask_hub(PART.path, PART.revision)).removeprefix('it ')}"
    assert words in str(caught.value)


def raise_it(error: Exception, wrapped: bool) -> None:
    if wrapped:
        raise OSError("We couldn't connect") from error
    raise error


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere' does not exist; correct the path"):
        load_base(folder_source(tmp_path / "nowhere"), torch.device("cpu"))


def test_an_empty_tokenizer_is_refused(tmp_path: Path) -> None:
    """transformers gives a tokenizer without words where it finds no files, and says nothing."""
    with pytest.raises(InputError, match="has no tokenizer here"):
        read_tokenizer(Part(str(tmp_path), None))


@pytest.mark.parametrize("kind", ["sd1"])
def test_a_base_of_pickles_is_refused(base_folders: dict[str, Path], kind: str, tmp_path: Path) -> None:
    shutil.copytree(base_folders[kind], tmp_path / "base")
    weights = tmp_path / "base/unet/diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(InputError, match=r"has no unet/diffusion_pytorch_model.safetensors; pickles are not read"):
        load_base(folder_source(tmp_path / "base"), torch.device("cpu"))


@pytest.fixture
def offline(tmp_path: Path) -> dict[str, str]:
    return os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "hub"),
        "TORCH_HOME": str(tmp_path / "torch"),
        "PYTHONPATH": str(ROOT),
    }


def run(stage: str, environment: dict[str, str]) -> str:
    """What a stage says on the terminal when it fails."""
    command = [sys.executable, "-m", f"tasks.{stage}", "toys"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stdout
    return done.stderr


@pytest.mark.parametrize("kind", ["sd1"])
@pytest.mark.parametrize("stage", [pytest.param("sample", marks=pytest.mark.slow), "evaluate"])
def test_without_network_a_stage_says_in_one_line_what_is_missing(workspace: Path, stage: str, offline: dict[str, str]) -> None:
    run_stages("mix")
    settings = Path("runs/toys/settings.yaml")
    judges = str(workspace / "base/judges")
    parts = "{identity: {path: timm/vit_small_patch16_224.dino, revision: null}, clip: {path: timm/x, revision: null}, open_detector: {path: timm/y, revision: null}}"
    settings.write_text(settings.read_text().replace(f"judges: {judges}", f"judges: {parts}"))
    said = run(stage, offline)
    assert said.startswith("error: weights are missing (judge: detector, judge: identity, judge: clip): ") and said.count("\n") == 1
    assert "timm/x is not wholly in the hub's cache, and HF_HUB_OFFLINE is set" in said


@pytest.mark.parametrize("kind", ["sd1"])
def test_without_network_a_missing_base_is_said_by_the_first_stage(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    change("source", {"pipeline": {"path": "someone/something", "revision": "abc"}})
    with pytest.raises(InputError, match="'someone/something'.*HF_HUB_OFFLINE"):
        run_stages()
