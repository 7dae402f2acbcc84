"""Checkpoints of one `.safetensors` file: read offline, by the family that their header tells."""

from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from tests.helpers.clip_tokenizer import clip_tokenizer
from tests.helpers.single_files import write_narrow_configs, write_single_file
from vd_core.bases import published
from vd_core.bases.single_file import FIRST, TO_K
from vd_core.bases.stable_diffusion import load_base, read_resolution
from vd_core.bases.wanted import wanted_parts
from vd_core.errors import InputError
from vd_core.hub import locate
from vd_core.settings import Part, Source

V2_YAML = "model:\n  params:\n    parameterization: {}\n"


def source_of(path: str, folder: Path) -> Source:
    return Source(Part(path, None), Part(str(folder / "image_encoder"), None), None, None)


def write_header(path: Path, width: int, channels: int = 4) -> None:
    save_file({TO_K: torch.zeros(8, width), FIRST: torch.zeros(8, channels, 3, 3)}, path)


def test_a_checkpoint_of_one_file_is_read_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its path may begin with ~; every weight is where the folder's would be; the words are CLIP's."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HOME", str(tmp_path))
    write_narrow_configs(tmp_path / "configs")
    encoder = tmp_path / "configs/sd15/image_encoder"
    (encoder / "config.json").write_text((encoder / "config.json").read_text().replace('"num_hidden_layers": 24', '"num_hidden_layers": 1'))
    monkeypatch.setattr(published, "CONFIGS", tmp_path / "configs")
    published.build_part("sd15", "image_encoder").save_pretrained(encoder)
    written = write_single_file(tmp_path / "mine.safetensors")
    source = source_of("~/mine.safetensors", encoder.parent)
    assert {place.state for place in locate(wanted_parts(source, motion=False))} == {"here"}
    base = load_base(source, torch.device("cpu"))
    for part, module in written.items():
        read = getattr(base, part).state_dict()
        assert read.keys() == module.state_dict().keys()
        assert all(torch.equal(read[k], v) for k, v in module.state_dict().items())
    assert base.resolution == read_resolution(source) == 512
    assert base.noise_scheduler.config.prediction_type == "epsilon"
    assert base.tokenizer("a sks dog").input_ids == clip_tokenizer()("a sks dog").input_ids


@pytest.mark.parametrize(("parameterization", "resolution"), [("v", 768), ("eps", 512)])
def test_a_2x_checkpoints_yaml_says_its_resolution(parameterization: str, resolution: int, tmp_path: Path) -> None:
    write_header(tmp_path / "m.safetensors", 1024)
    source = source_of(str(tmp_path / "m.safetensors"), tmp_path)
    with pytest.raises(InputError, match=r"m.yaml is missing; put Stability AI's v2-inference.yaml"):
        read_resolution(source)
    (tmp_path / "m.yaml").write_text(V2_YAML.format(parameterization))
    assert read_resolution(source) == resolution


def test_what_is_no_such_checkpoint_is_refused_by_its_header(tmp_path: Path) -> None:
    write_header(tmp_path / "painted.safetensors", 768, channels=9)
    write_header(tmp_path / "xl.safetensors", 2048)
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    (tmp_path / "old.ckpt").write_bytes(b"pickle")
    refusals = {
        "painted.safetensors": "inpainting or depth model .9 input channels.",
        "xl.safetensors": "no checkpoint of Stable Diffusion 1.x or 2.x",
        "torn.safetensors": "cannot be read",
        "old.ckpt": "is a pickle, which may hold any code; convert it",
        "gone.safetensors": "does not exist; correct the path",
    }
    for name, words in refusals.items():
        with pytest.raises(InputError, match=words):
            read_resolution(source_of(str(tmp_path / name), tmp_path))


def test_a_path_that_does_not_exist_is_no_name_of_a_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub was asked for ~/models/mine.safetensors."""
    monkeypatch.setattr("vd_core.hub.ask_hub", lambda *_: pytest.fail("the hub was asked"))
    source = source_of("~/nowhere/mine.safetensors", Path("/nowhere"))
    reasons = {place.reason for place in locate(wanted_parts(source, motion=False))}
    assert reasons == {
        f"{Path.home()}/nowhere/mine.safetensors does not exist; correct the path",
        "/nowhere/image_encoder does not exist; correct the path",
    }
