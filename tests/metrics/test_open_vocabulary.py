"""OWLv2, of the real class with random weights: boxes in the picture's own pixels."""

from pathlib import Path

import pytest
import torch

from tests.helpers.open_detector import write_random_open_detector
from vd_core.metrics.open_vocabulary import OpenDetector, load_open_detector
from vd_core.settings import Part


@pytest.fixture
def detector(tmp_path: Path) -> OpenDetector:
    write_random_open_detector(tmp_path / "owl")
    return load_open_detector(Part(str(tmp_path / "owl"), None), torch.device("cpu"))


def plant(detector: OpenDetector, monkeypatch: pytest.MonkeyPatch, boxes: list[list[float]], logits: list[float]) -> None:
    """Let the model answer with these boxes (center x, y, width, height, of the padded square), and these logits."""
    forward = detector.model.forward

    def planted(**inputs: torch.Tensor):
        outputs = forward(**inputs)
        outputs.pred_boxes, outputs.logits = torch.tensor([boxes]), torch.tensor([[[v] for v in logits]])
        return outputs

    monkeypatch.setattr(detector.model, "forward", planted)


@pytest.mark.parametrize("size", [(60, 100), (100, 60)])
def test_boxes_are_in_the_pixels_of_a_picture_that_is_not_square(
    detector: OpenDetector, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    """OWLv2 pads a picture to a square at its right and bottom."""
    plant(detector, monkeypatch, [[0.2, 0.3, 0.2, 0.4], [0.5, 0.5, 1.0, 1.0]], [3.0, 1.0])
    found = detector.find(torch.rand(3, *size, generator=torch.Generator().manual_seed(0)), "bear plushie")
    torch.testing.assert_close(found["boxes"], torch.tensor([[10.0, 10, 30, 50], [0, 0, size[1], size[0]]]))
    torch.testing.assert_close(found["scores"], torch.tensor([3.0, 1.0]).sigmoid())


def test_the_surer_of_two_boxes_of_one_thing_counts_and_doubtful_ones_do_not(
    detector: OpenDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(detector, monkeypatch, [[0.5, 0.5, 0.4, 0.4], [0.5, 0.5, 0.41, 0.4], [0.1, 0.1, 0.1, 0.1]], [1.0, 2.0, -5.0])
    found = detector.find(torch.zeros(3, 100, 100), "plushie")
    assert found["scores"].tolist() == [pytest.approx(torch.tensor(2.0).sigmoid().item())]


def test_another_noun_is_another_question(detector: OpenDetector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vd_core.metrics.open_vocabulary.OPEN_SCORE", 0.0)
    picture = torch.rand(3, 40, 64, generator=torch.Generator().manual_seed(0))
    dog, same, cat = (detector.find(picture, noun) for noun in ("dog", "dog", "cat"))
    assert len(dog["boxes"]) and torch.equal(dog["scores"], same["scores"])
    assert not torch.equal(dog["scores"], cat["scores"][: len(dog["scores"])])
    assert (dog["boxes"] >= 0).all() and (dog["boxes"][:, 2] <= 64).all() and (dog["boxes"][:, 3] <= 40).all()
