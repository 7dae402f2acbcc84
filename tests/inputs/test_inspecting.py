"""A subject's folder as people leave it: all that is wrong with it at once, by the files' names."""

import io
import os
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance

from tests.helpers.pictures import noise_picture
from vd_core.errors import InputError
from vd_core.inputs.decoding import ON_WHITE
from vd_core.inputs.inspecting import BARS, Inspection, inspect_pictures, use_all
from vd_core.toybox.world.demo import draw_subject

ROOT = Path(__file__).parents[2]


def names(inspection: Inspection) -> dict[str, dict[str, str]]:
    """What is said of each file, by what becomes of it."""
    kinds = {"warned": inspection.warned, "refused": inspection.refused, "left_out": inspection.left_out}
    return {kind: {f.path.name: f.reason for f in findings} for kind, findings in kinds.items()}


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    noise_picture(0).save(tmp_path / "good.JPG")
    noise_picture(1).convert("RGBA").save(tmp_path / "opaque.png")
    cut_out = noise_picture(2).convert("RGBA")
    cut_out.putalpha(100)
    cut_out.save(tmp_path / "cut out.png")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("no picture")
    os.mkfifo(tmp_path / "pipe.jpg")  # to open it would wait for ever
    (tmp_path / "link.jpg").symlink_to(ROOT / "data/toys/dog/0.png")
    for name in ("notes.txt", "clip.mov", "raw.psd"):
        (tmp_path / name).write_text("x")
    (tmp_path / "more.jpg").mkdir()
    for name in ("._good.jpg", ".DS_Store", "Thumbs.db", "desktop.ini", "subject.yaml"):
        (tmp_path / name).write_bytes(b"\0")
    inspection = inspect_pictures(tmp_path)
    said = names(inspection)
    assert [p.name for p in inspection.accepted] == ["cut out.png", "good.JPG", "opaque.png"]
    assert said["warned"] == {"cut out.png": ON_WHITE}
    assert set(said["refused"]) == {"empty.jpg", "link.jpg", "pipe.jpg", "text.jpg"}
    assert set(said["left_out"]) == {"notes.txt", "clip.mov", "raw.psd", "more.jpg"}
    assert any("left out clip.mov, notes.txt, raw.psd: not one of .jpg" in line for line in inspection.notes())
    with pytest.raises(InputError) as caught:
        use_all([inspection, inspect_pictures(ROOT / "data/toys/dog")])
    assert all(name in str(caught.value) for name in said["refused"]) and "\n" not in str(caught.value)


def test_a_folder_without_pictures_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "IMG_1.CR2").write_text("x")
    with pytest.raises(InputError, match=r"holds no picture .*left out IMG_1\.CR2"):
        use_all([inspect_pictures(tmp_path)])


def test_a_folder_that_is_a_link(tmp_path: Path) -> None:
    """DVC would not notice a photograph that is replaced behind the link."""
    (tmp_path / "dog").symlink_to(ROOT / "data/toys/dog")
    with pytest.raises(InputError, match="dog is a link"):
        use_all([inspect_pictures(tmp_path / "dog")])


def test_copies_are_named_and_other_views_are_not(tmp_path: Path) -> None:
    toy = Image.fromarray(draw_subject("dog", ("orange", "yellow", "plain"), 1, count=1)[0]).resize((256, 256), Image.Resampling.LANCZOS)
    toy.save(tmp_path / "a.png")
    (tmp_path / "b (1).png").write_bytes((tmp_path / "a.png").read_bytes())
    ImageEnhance.Brightness(toy).enhance(1.1).resize((130, 130)).save(tmp_path / "c.jpg", quality=60)
    assert names(inspect_pictures(tmp_path))["warned"] == {"b (1).png": "the same as a.png", "c.jpg": "nearly the same as a.png"}
    for toys in ("dog", "car"):
        assert not inspect_pictures(ROOT / "data/toys" / toys).warned


def test_cut_outs_of_one_subject_are_no_copies(tmp_path: Path) -> None:
    """Most of a cut-out is a plain ground, which is the same in all."""
    for i in range(4):
        picture = Image.new("RGB", (256, 256), "white")
        picture.paste(noise_picture(i, (8, 8)).resize((60, 60), Image.Resampling.BICUBIC), (90, 90))
        picture.save(tmp_path / f"{i}.png")
    assert not inspect_pictures(tmp_path).warned


def test_names_of_any_bytes_are_shown_in_one_line(tmp_path: Path) -> None:
    file = io.BytesIO()
    noise_picture(0).save(file, "PNG")
    for name in (b"caf\xe9.png", b"two\nlines.png"):
        Path(os.fsdecode(bytes(tmp_path) + b"/" + name)).write_bytes(file.getvalue())
    inspection = inspect_pictures(tmp_path)
    (line,) = inspection.notes()
    assert len(inspection.accepted) == 2 and line.isprintable() and "\\n" in line


def test_plain_bars_are_named(tmp_path: Path) -> None:
    framed = Image.new("RGB", (96, 96))
    framed.paste(noise_picture(0, (96, 64)), (0, 16))
    framed.save(tmp_path / "framed.png")
    noise_picture(1, (96, 96)).save(tmp_path / "plain.png")
    assert inspect_pictures(tmp_path).notes() == [f"framed.png: {BARS}"]
