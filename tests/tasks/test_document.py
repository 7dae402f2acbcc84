"""What README and docs show of a run: the strip from inputs to output, the other pictures, the metrics."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.commands.document import ARROW, GAP, LABEL, MOVING, SIDE, document, draw_moving, draw_strip, in_step, spread
from tests.helpers.imports import ROOT
from tests.helpers.pictures import noise_picture


def place_of(picture: Image.Image, strip: Image.Image) -> tuple[int, int] | None:
    """Where the picture stands in the strip, unchanged."""
    found = (((x, y)) for x in range(strip.width - picture.width + 1) for y in (LABEL + GAP, LABEL + 2 * GAP + picture.height))
    side, (pixels, own) = picture.width, (np.asarray(strip), np.asarray(picture))
    return next(((x, y) for x, y in found if np.array_equal(pixels[y : y + side, x : x + side], own)), None)


def test_the_strip_reads_from_the_given_pictures_to_the_video() -> None:
    """A row of given pictures a subject, then the mixed picture, then the frames in their order."""
    small = (SIDE + GAP) // 2 - GAP
    given = [[noise_picture(10 * s + i, (small, small)) for i in range(2)] for s in range(2)]
    mixed, *frames = (noise_picture(90 + i, (SIDE, SIDE)) for i in range(4))
    strip = draw_strip(given, mixed, frames, "a dog, a car on the beach")
    places = [place_of(p, strip) for p in (*given[0], *given[1], mixed, *frames)]
    assert None not in places
    (x00, y0), (x01, _), (x10, y1), (x11, _), *others = [p for p in places if p]
    assert (x00, x01) == (x10, x11) and x00 < x01 and y0 < y1
    assert [x for x, _ in others] == sorted({x for x, _ in others}) and others[0][0] > x01


@pytest.mark.parametrize("subjects", [1, 2, 3])
def test_the_strip_has_three_labels_and_two_arrows_for_any_number_of_subjects(subjects: int) -> None:
    white = Image.new("RGB", (64, 64), "white")
    strip = np.asarray(draw_strip([[white, white]] * subjects, white, [white] * 3, "a dog").convert("L"))
    height, width = strip.shape
    assert height == LABEL + SIDE + 2 * GAP
    middle = np.flatnonzero((strip[LABEL:] < 128).any(0))
    assert 1 + np.count_nonzero(np.diff(middle) > 1) == 2  # on white pictures nothing below the labels is black but the arrows
    assert all((strip[:LABEL, part] < 128).any() for part in (slice(0, 40), slice(width - 3 * SIDE, None)))


def test_frames_are_spread_from_the_first_to_the_last() -> None:
    frames = [noise_picture(i) for i in range(8)]
    assert spread(frames, 3) == [frames[0], frames[3], frames[7]]
    assert spread(frames[:1], 3) == [frames[0]] * 3


def test_clips_of_other_lengths_are_shown_in_step() -> None:
    short, long = [[noise_picture(i) for i in range(start, start + n)] for start, n in ((0, 2), (10, 4))]
    assert list(in_step([short, long])) == [[short[f // 2], long[f]] for f in range(4)]


@pytest.mark.parametrize("subjects", [1, 2, 3])
def test_the_moving_picture_shows_what_was_given_beside_what_came(subjects: int) -> None:
    """The pictures stay, the clip and the videos go."""
    given, clip, videos = [[noise_picture(n, (MOVING, MOVING)) for n in range(first, first + 3)] for first in (0, 10, 20)]
    frames = [np.asarray(f) for f in draw_moving([[own] for own in given[:subjects]], clip, [videos, videos])]
    assert len(frames) == 3
    left = (1 + (subjects > 2)) * (MOVING + GAP) + GAP
    assert all(np.array_equal(frame[:, :left], frames[0][:, :left]) for frame in frames)
    for f, frame in enumerate(frames):
        assert place_of(given[0], Image.fromarray(frame[:, :left])) == (GAP, LABEL + GAP)
        for picture, x in ((clip[f], left + ARROW + GAP), (videos[f], frame.shape[1] - MOVING - GAP)):
            column = frame[:, x : x + MOVING]
            assert sum(np.array_equal(column[y : y + MOVING], np.asarray(picture)) for y in range(LABEL, 150)) == 1


@pytest.fixture
def finished_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a finished run of noise, as the stages leave it; it is the working directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    shutil.copytree(ROOT / "presets", "presets")
    mix, render = Path("runs/toys/mix"), Path("runs/toys/render")
    videos = [
        {"video": f"{g}-00", "generator": g, "prompt": "a sks dog, a krk car on the beach"} for g in ("text2video_zero", "animatediff")
    ]
    for i, folder in enumerate((mix / "subjects/dog", mix / "subjects/car", mix / "mixed", *(render / v["video"] for v in videos))):
        folder.mkdir(parents=True)
        for n in range(4):
            noise_picture(10 * i + n, (64, 64)).save(folder / f"{n:03d}.png")
    subjects = [
        {"name": n, "class_noun": n, "placeholder_token": t, "folder": f"data/toys/{n}"} for n, t in (("dog", "sks"), ("car", "krk"))
    ]
    (mix / "subjects/about.json").write_text(json.dumps({"subjects": subjects}))
    (render / "videos.json").write_text(json.dumps(videos))
    for name in ("docs", "metrics"):
        Path(name).mkdir()
    Path("metrics/toys.json").write_text(json.dumps({"animatediff": {"text_fidelity": 0.12345}}))
    Path("README.md").write_text("before\n<!-- metrics -->\n<!-- /metrics -->\nafter\n")
    return tmp_path


def test_a_finished_run_is_documented(finished_run: Path) -> None:
    document("toys")
    pictures = {p.name: Image.open(p) for p in (finished_run / "docs").iterdir()}
    assert set(pictures) == {"strip.png", "demo.gif", "demo-sheet.png", "demo-mix.png"}
    assert pictures["demo.gif"].n_frames == 4 and pictures["demo.gif"].width < 500  # no clip was given
    assert pictures["demo-mix.png"].width == 4 * (96 + 4) + 4
    text = Path("README.md").read_text()
    assert "| animatediff | 0.123 |" in text and text.startswith("before") and text.endswith("after\n")


def test_of_anothers_subjects_only_the_clips_are_shown(finished_run: Path) -> None:
    shutil.copytree("runs/toys", "runs/again")
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(
        text + "  again:\n    finetune_from: toys\n    subjects: [dog, car]\n    prompts: [in space]\n    sampling_round: 0\n"
    )
    document("again")
    assert [p.name for p in (finished_run / "docs").iterdir()] == ["again.gif"]
