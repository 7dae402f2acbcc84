"""The mix stage: squares around the subjects, and a sheet of exactly what training sees."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from tasks.shared.prepared import read_mixed, read_prepared
from tests.helpers.workspace import change, run_stages
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
