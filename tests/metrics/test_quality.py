"""Imaging and aesthetic quality with judges whose answers are known."""

import os
import pickle
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from tasks.evaluate import open_aesthetic
from vd_core.errors import InputError
from vd_core.metrics.aesthetic_quality import aesthetic_quality, load_aesthetic
from vd_core.metrics.imaging_quality import imaging_quality
from vd_core.settings import Aesthetic, Part

FRAMES = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
CPU = torch.device("cpu")
WIDTH = 6


def test_imaging_quality_is_the_share_of_the_good_words() -> None:
    axis = {"Good photo.": 0, "Bad photo.": 1, "Sharp photo.": 2, "Blurry photo.": 3}

    def quality(*embedding: float) -> float:
        images = torch.tensor([embedding])
        return imaging_quality(
            SimpleNamespace(embed_images=lambda _: images, embed_texts=lambda t: torch.eye(4)[[axis[x] for x in t]]), FRAMES
        )

    assert quality(1, 0, 1, 0) == pytest.approx(1) and quality(0, 1, 0, 1) == pytest.approx(0)
    assert quality(0.5, 0.5, 0.5, 0.5) == pytest.approx(0.5)
    assert quality(1, 0, 0, 1) == pytest.approx(0.5), "good and blurry"
    one_nearer = torch.tensor([0.01, 0.0]).mul(100).softmax(0)[0]
    assert quality(0.01, 0, 0.01, 0) == pytest.approx(float(one_nearer))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Part:
    """A small CLIP image encoder with random weights, in a folder."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1, "projection_dim": WIDTH}
    folder = tmp_path_factory.mktemp("clip")
    CLIPVisionModelWithProjection(CLIPVisionConfig(image_size=32, patch_size=16, **sizes)).save_pretrained(folder)
    return Part(str(folder), None)


def write_head(path: Path, weight: torch.Tensor, bias: float) -> Path:
    weights = {"weight": weight, "bias": torch.tensor([bias])}
    save_file(weights, path) if path.suffix == ".safetensors" else torch.save(weights, path)
    return path


def test_aesthetic_quality_is_the_heads_rating(clip: Part, tmp_path: Path) -> None:
    constant = write_head(tmp_path / "head.pth", torch.zeros(1, WIDTH), 6.0)
    assert aesthetic_quality(load_aesthetic(Aesthetic(clip, str(constant)), CPU), FRAMES) == pytest.approx(0.6)
    weight = torch.randn(1, WIDTH, generator=torch.Generator().manual_seed(1))
    heads = [write_head(tmp_path / f"own{suffix}", weight, 5.0) for suffix in (".pth", ".safetensors")]
    judges = [load_aesthetic(Aesthetic(clip, str(head)), CPU) for head in heads]
    first, second = (aesthetic_quality(judge, FRAMES) for judge in judges)
    assert first == second
    singles = [aesthetic_quality(judges[0], frame[None]) for frame in FRAMES]
    assert first == pytest.approx(sum(singles) / 2) and singles[0] != singles[1]
    longest = float(weight.norm())
    assert abs(10 * first - 5) <= longest, "embeddings are of unit length"


class Harm:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("harm",)


def test_a_pickle_is_not_run(clip: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("head.pth").write_bytes(pickle.dumps(Harm()))
    with pytest.raises(InputError, match="head.pth is no linear head"):
        load_aesthetic(Aesthetic(clip, "head.pth"), CPU)
    assert not Path("harm").exists()


def test_a_head_of_another_clip(clip: Part, tmp_path: Path) -> None:
    head = write_head(tmp_path / "head.safetensors", torch.zeros(1, WIDTH + 1), 0)
    with pytest.raises(InputError, match=r"is 7 wide and .* 6; take the head of that CLIP"):
        load_aesthetic(Aesthetic(clip, str(head)), CPU)


def test_without_its_weights_it_is_left_out_with_one_line(clip: Part, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Never zero."""
    head = write_head(tmp_path / "head.pth", torch.zeros(1, WIDTH), 6.0)
    wanted = [Aesthetic(clip, str(tmp_path / "none.pth")), Aesthetic(Part(str(tmp_path / "none"), None), str(head))]
    for aesthetic in wanted:
        assert open_aesthetic(SimpleNamespace(aesthetic=aesthetic, device="cpu")) is None
        said = capsys.readouterr().out
        assert said.startswith("aesthetic quality is left out: ") and said.count("\n") == 1
    assert open_aesthetic(SimpleNamespace(aesthetic=None, device="cpu")) is None and not capsys.readouterr().out
