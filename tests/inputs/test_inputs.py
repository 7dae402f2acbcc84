"""Bad input: one line that names the file or key and says what to do; exit code not zero; nothing lost."""

import os
from pathlib import Path

import pytest
from PIL import Image

from vd_core.bases.stable_diffusion import choose_device
from vd_core.errors import InputError
from vd_core.inputs.clips import load_clip, save_video
from vd_core.inputs.pictures import find_pictures, load_picture
from vd_core.inputs.subjects import check_placeholder_tokens, load_subjects
from vd_core.toybox.pretraining.tokens import build_tokenizer

ROOT = Path(__file__).parents[2]


def test_cuda_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match="device is cuda, but torch sees no GPU"):
        choose_device("cuda")


def test_text_called_jpg(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("not a picture")
    with pytest.raises(InputError, match=r"a\.jpg is not a readable picture"):
        load_picture(tmp_path / "a.jpg")


def test_cut_off_picture(tmp_path: Path) -> None:
    Image.effect_noise((64, 64), 50).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:500])
    with pytest.raises(InputError, match=r"a\.png is not a readable picture"):
        load_picture(tmp_path / "a.png")


def test_one_pixel(tmp_path: Path) -> None:
    Image.new("RGB", (1, 1)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png is 1 x 1; at least 16 x 16"):
        load_picture(tmp_path / "a.png")


def test_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (64, 64)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(InputError, match=r"a\.png has too many pixels"):
        load_picture(tmp_path / "a.png")


def test_odd_pictures_become_upright_rgb(tmp_path: Path) -> None:
    turned = Image.new("L", (40, 20))
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned by a quarter
    turned.save(tmp_path / "a.jpg", exif=exif)
    Image.new("RGBA", (20, 20), (255, 0, 0, 0)).save(tmp_path / "b.png")
    assert load_picture(tmp_path / "a.jpg").size == (20, 40)
    assert load_picture(tmp_path / "b.png").mode == "RGB"


def test_what_is_no_plain_picture_is_refused_or_ignored(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    (tmp_path / "._a.png").write_bytes(b"\0")  # macOS leaves these on a memory stick
    assert [p.name for p in find_pictures(tmp_path)] == ["a.png"]
    os.mkfifo(tmp_path / "b.jpg")  # to open it would wait for ever
    with pytest.raises(InputError, match=r"b\.jpg is a link or a device"):
        find_pictures(tmp_path)
    (tmp_path / "b.jpg").unlink()
    (tmp_path / "linked").symlink_to(tmp_path)
    with pytest.raises(InputError, match=r"linked is a link or a device"):
        find_pictures(tmp_path / "linked")


def test_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="holds no picture"):
        find_pictures(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"subject\.yaml is missing"),
        ("colour: red", "class_noun is missing"),
        ("class_noun: dog\nage: old", "age is not a known key"),
        ("- dog", "must hold words"),
        ("class_noun: 3", "must hold words"),
    ],
)
def test_wrong_subject_files(tmp_path: Path, content: str | None, message: str) -> None:
    (tmp_path / "dog").mkdir()
    if content is not None:
        (tmp_path / "dog" / "subject.yaml").write_text(content)
    with pytest.raises(InputError, match=message):
        load_subjects(tmp_path, ("dog",), ("sks",))


def test_missing_subject_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dog/ is missing"):
        load_subjects(tmp_path, ("dog",), ("sks",))


def test_placeholder_of_many_tokens(tmp_path: Path) -> None:
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "subject.yaml").write_text("class_noun: dog\nplaceholder_token: rumpelstiltskin")
    with pytest.raises(InputError, match="placeholder_token 'rumpelstiltskin' is .* tokens to this base"):
        check_placeholder_tokens(load_subjects(tmp_path, ("dog",), ("sks",)), build_tokenizer())


def test_video_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "motion.mp4").write_text("no video")
    with pytest.raises(InputError, match=r"motion\.mp4 is not a readable video"):
        load_clip(tmp_path / "motion.mp4", 4, 16)
    with pytest.raises(InputError, match=r"has 16 frames; at least 99"):
        load_clip(ROOT / "data" / "toys" / "motion.mp4", 99, 16)


def test_a_video_has_the_same_bytes_however_many_cores_encode_it(tmp_path: Path) -> None:
    frames = [Image.effect_noise((256, 256), 50 + i).convert("RGB") for i in range(6)]
    save_video(frames, tmp_path / "all.mp4", 8)
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    save_video(frames, tmp_path / "one.mp4", 8)
    os.sched_setaffinity(0, cores)
    assert (tmp_path / "all.mp4").read_bytes() == (tmp_path / "one.mp4").read_bytes()
