"""OWLv2, of the real class with random weights: boxes in the picture's own pixels."""

from pathlib import Path

import pytest
import torch

from tests.helpers.open_detector import write_random_open_detector
from vd_core.errors import InputError
from vd_core.metrics.open_vocabulary import OpenDetector, load_open_detector
from vd_core.settings import Part


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_random_open_detector(tmp_path / "owl")
    return tmp_path / "owl"


def load(folder: Path, *nouns: str, others: tuple[str, ...] = ()) -> OpenDetector:
    return load_open_detector(Part(str(folder), None), torch.device("cpu"), nouns, others)


def plant(detector: OpenDetector, monkeypatch: pytest.MonkeyPatch, boxes: list[list[float]], logits: list[list[float]]) -> None:
    """Let the model answer with these boxes (center x, y, width, height, of the padded square), and these logits, one a question."""
    forward = detector.model.forward

    def planted(**inputs: torch.Tensor):
        outputs = forward(**inputs)
        outputs.pred_boxes, outputs.logits = torch.tensor([boxes]), torch.tensor([logits])
        return outputs

    monkeypatch.setattr(detector.model, "forward", planted)


@pytest.mark.parametrize("size", [(60, 100), (100, 60)])
def test_boxes_are_in_the_pixels_of_a_picture_that_is_not_square(
    folder: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    """OWLv2 pads a picture to a square at its right and bottom. What it sees in the padding alone is no part of the picture."""
    detector = load(folder, "bear plushie")
    plant(detector, monkeypatch, [[0.2, 0.3, 0.2, 0.4], [0.5, 0.5, 1.0, 1.0], [0.8, 0.8, 0.1, 0.1]], [[3.0], [1.0], [2.0]])
    found = detector.find(torch.rand(3, *size, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(found["boxes"], torch.tensor([[10.0, 10, 30, 50], [0, 0, size[1], size[0]]]))
    torch.testing.assert_close(found["scores"], torch.tensor([3.0, 1.0]).sigmoid())


def test_the_surer_of_two_boxes_of_one_thing_counts_and_doubtful_ones_do_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = load(folder, "plushie")
    plant(detector, monkeypatch, [[0.5, 0.5, 0.4, 0.4], [0.5, 0.5, 0.41, 0.4], [0.1, 0.1, 0.1, 0.1]], [[1.0], [2.0], [-5.0]])
    found = detector.find(torch.zeros(3, 100, 100))
    assert found["scores"].tolist() == [pytest.approx(torch.tensor(2.0).sigmoid().item())]


def test_a_living_dog_is_no_plushie(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked about a plushie alone, it may see one in anything with fur: the other subjects' nouns are asked too, and the surest counts."""
    detector = load(folder, "plushie", "figurine", others=("dog",))
    boxes = [[0.2, 0.2, 0.2, 0.2], [0.5, 0.5, 0.2, 0.2], [0.51, 0.5, 0.2, 0.2], [0.8, 0.8, 0.2, 0.2]]
    plant(detector, monkeypatch, boxes, [[1.0, 0.0, 0.5], [1.0, -9.0, 2.0], [1.0, -9.0, -9.0], [0.0, 0.5, 0.0]])
    found = detector.find(torch.zeros(3, 100, 100))
    torch.testing.assert_close(found["boxes"], torch.tensor([[10.0, 10, 30, 30], [70, 70, 90, 90]]))
    assert found["labels"].tolist() == [0, 1]


def test_another_noun_is_another_question(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vd_core.metrics.open_vocabulary.OPEN_SCORE", 0.0)
    picture = torch.rand(3, 40, 64, generator=torch.Generator().manual_seed(0))
    dog, same, cat = (load(folder, noun).find(picture) for noun in ("dog", "dog", "cat"))
    assert len(dog["boxes"]) and torch.equal(dog["scores"], same["scores"])
    assert not torch.equal(dog["scores"], cat["scores"][: len(dog["scores"])])
    assert (dog["boxes"] >= 0).all() and (dog["boxes"][:, 2] <= 64).all() and (dog["boxes"][:, 3] <= 40).all()


def test_a_folder_that_is_missing_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"judge '\S+/owl' does not exist; correct the path"):
        load(tmp_path / "owl", "plushie")
