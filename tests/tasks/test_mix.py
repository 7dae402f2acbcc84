"""What the mix stage says of the pictures and the clip that it read, once, and what it refuses, all at once."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pillow_heif import from_pillow

from tests.helpers.pictures import noise_picture
from tests.helpers.workspace import change_combination, run_stages
from vd_core.errors import InputError

DOG, CAR = Path("data/toys/dog"), Path("data/toys/car")


def test_every_picture_is_used_and_the_rest_is_named_once(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from_pillow(noise_picture(0)).save(DOG / "IMG_2.HEIC")
    cut_out = noise_picture(1, (64, 64)).convert("RGBA")
    cut_out.putalpha(0)
    cut_out.save(DOG / "cut out.png")
    (DOG / "notes.txt").touch()
    (DOG / ".DS_Store").touch()
    Path("data/toys/motion.mp4").rename("data/toys/motion.mov")
    run_stages("mix")
    said = capsys.readouterr().out
    assert "data/toys/dog: 7 pictures\n  cut out.png: transparent parts are put on white\n  left out notes.txt: not one of" in said
    assert "data/toys/car: 5 pictures\ndata/toys/motion.mov: 4 of 16 frames\n" in said and "DS_Store" not in said
    about = json.loads(Path("runs/toys/mix/subjects/about.json").read_text())["subjects"][0]["pictures"]
    place = [p["source"] for p in about].index("cut out.png")
    assert len(about) == 7 and "IMG_2.HEIC" in [p["source"] for p in about]
    assert np.asarray(Image.open(f"runs/toys/mix/subjects/dog/{place:03d}.png")).min() == 255


def test_all_that_is_wrong_with_all_subjects_is_one_line(workspace: Path) -> None:
    (DOG / "a.jpg").touch()
    (DOG / "b.jpg").write_text("no picture")
    (CAR / "c.jpg").touch()
    with pytest.raises(InputError, match=r"dog/a\.jpg is empty.*dog/b\.jpg is not a readable picture.*car/c\.jpg is empty"):
        run_stages("mix")


def test_the_clip_is_one(workspace: Path) -> None:
    Path("data/toys/motion.webm").touch()
    with pytest.raises(InputError, match=r"data/toys has motion\.mp4 and motion\.webm; keep one"):
        run_stages("mix")
    for path in Path("data/toys").glob("motion.*"):
        path.unlink()
    with pytest.raises(InputError, match=r"data/toys/motion\.mp4 is missing"):
        run_stages("mix")
    change_combination({"motion_prompt": None})
    run_stages("mix")
