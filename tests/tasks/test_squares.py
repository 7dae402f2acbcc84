"""The mix stage: squares around the subjects, and a sheet of exactly what training sees."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from tasks.shared.prepared import read_mixed, read_prepared
from tasks.shared.scattering import read_scattered
from tests.helpers.workspace import change, run_stages
from vd_core.errors import InputError
from vd_core.inputs.pictures import LABEL, load_square
from vd_core.metrics.nouns import known_noun

pytestmark = pytest.mark.parametrize("kind", ["sd1"], indirect=True)


def see_red(judges, frames: torch.Tensor) -> list[dict[str, torch.Tensor]]:
    """A dog wherever a frame is red."""
    found = []
    for frame in frames:
        ys, xs = torch.nonzero((frame[0] > 0.9) & (frame[1] < 0.1), as_tuple=True)
        boxes = torch.tensor([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]] if len(xs) else []).reshape(-1, 4).float()
        found.append({"boxes": boxes, "labels": torch.ones(len(boxes), dtype=torch.long), "scores": torch.ones(len(boxes))})
    return found


def write_dogs() -> None:
    folder = Path("data/toys/dog")
    for path in folder.glob("*.png"):
        path.unlink()
    for name, box in (("side", (320, 30, 379, 89)), ("none", None)):
        picture = Image.effect_noise((400, 100), 60).convert("RGB")
        if box:
            ImageDraw.Draw(picture).rectangle(box, fill="red")
        picture.save(folder / f"{name}.png")


def test_squares_are_around_the_subject_or_in_the_middle(
    workspace: Path, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """A subject at the side of a wide photograph was not in its square."""
    monkeypatch.setattr("vd_core.metrics.find_subject.detect", see_red)
    write_dogs()
    change("mix", {"crop": "subject"})
    run_stages("mix")
    none, side = read_prepared("toys").pictures[0]
    assert side.getpixel((8, 8)) == (255, 0, 0)
    assert none.tobytes() == load_square(Path("data/toys/dog/none.png"), 16).tobytes()
    said = capsys.readouterr().out
    assert "data/toys/dog: no dog was found, so the middle square is used: none.png\n" in said
    Path("data/toys/dog/subject.yaml").write_text("class_noun: bear plushie\n")
    run_stages("mix")
    assert "'bear plushie' is not among the detector's nouns; the middle squares are used: none.png, side.png" in capsys.readouterr().out


def test_with_crop_center_nothing_is_looked_for(workspace: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.mix.find_subject", None)
    run_stages("mix")
    for square, path in zip(read_prepared("toys").pictures[0], sorted(Path("data/toys/dog").glob("*.png")), strict=True):
        assert square.tobytes() == load_square(path, 16).tobytes()


def test_the_sheet_shows_the_squares_and_the_mixed_pictures(workspace: Path, kind: str) -> None:
    """The sheet showed mixed pictures alone."""
    run_stages("mix")
    sheet, top = Image.open("runs/toys/mix/sheet.jpg"), 0
    for own in (*read_prepared("toys").pictures, read_mixed("toys")):
        assert len(own) <= 8 and np.asarray(sheet.crop((0, top, 100, top + LABEL))).min() < 100
        for i, picture in enumerate(own):
            x, y = 4 + i * 132, top + LABEL + 4
            tile = np.asarray(sheet.crop((x, y, x + 128, y + 128)), dtype=float)
            assert np.abs(tile - np.asarray(picture.resize((128, 128), Image.Resampling.NEAREST))).mean() < 6
        top += LABEL + 136
    assert sheet.height == top


def test_a_noun_of_several_words_is_what_its_last_words_name(kind: str) -> None:
    labels = ("background", "cat", "bear", "teddy bear")
    known = {"cat": "cat", "Tabby cat": "cat", "brown teddy bear": "teddy bear", "bear plushie": None, "plushie": None}
    assert {noun: known_noun(labels, noun) for noun in known} == known


def mark_red(folder: str) -> None:
    """A red square in every picture of a subject."""
    for path in Path("data/toys", folder).glob("*.png"):
        picture = Image.open(path).convert("RGB")
        ImageDraw.Draw(picture).rectangle((20, 20, 40, 44), fill="red")
        picture.save(path)


def see_both(judges, frames: torch.Tensor) -> list[dict[str, torch.Tensor]]:
    """The same red, as a dog and as a car."""
    found = see_red(judges, frames)
    for own in found:
        own["boxes"], own["scores"] = own["boxes"].repeat(2, 1), own["scores"].repeat(2)
        own["labels"] = torch.tensor([judges.labels.index("dog"), judges.labels.index("car")])[: len(own["boxes"])]
    return found


def test_subjects_are_cut_out_and_learned_in_their_boxes(workspace: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vd_core.metrics.find_subject.detect", see_both)
    mark_red("dog")
    mark_red("car")
    change("mix", {"cutouts": 3})
    change("finetune", {"disen_mix": {"regions": True}})
    run_stages("mix", "finetune")
    scattered = read_scattered("toys")
    assert len(scattered) == 3 and len(read_mixed("toys")) == 4
    for own in scattered:
        red = (own.picture[..., 0] > 150) & (own.picture[..., 1] < 90)
        inside = np.zeros_like(red)
        for x1, y1, x2, y2 in (np.array(own.boxes) * 16).round().astype(int):
            assert red[y1:y2, x1:x2].any()
            inside[y1:y2, x1:x2] = True
        assert not (red & ~inside).any()
    before = Path("runs/toys/finetune/pytorch_lora_weights.safetensors").read_bytes()
    change("finetune", {"disen_mix": {"regions": False}})
    run_stages("finetune")
    assert Path("runs/toys/finetune/pytorch_lora_weights.safetensors").read_bytes() != before


def test_what_is_found_nowhere_cannot_be_cut_out(workspace: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vd_core.metrics.find_subject.detect", see_red)
    change("mix", {"cutouts": 3})
    with pytest.raises(InputError, match=r"^data/toys/dog: no dog is found in any picture, so none can be cut out; set mix\.cutouts to 0$"):
        run_stages("mix")
