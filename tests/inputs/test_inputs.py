"""Bad input: one line that names the file or key and says what to do; exit code not zero; nothing lost."""

import os
from pathlib import Path

import pytest
from PIL import Image

from vd_core.errors import InputError
from vd_core.inputs.clips import save_video
from vd_core.inputs.subjects import check_placeholder_tokens, load_subjects
from vd_core.toybox.pretraining.tokens import build_tokenizer


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


def test_a_video_has_the_same_bytes_however_many_cores_encode_it(tmp_path: Path) -> None:
    frames = [Image.effect_noise((256, 256), 50 + i).convert("RGB") for i in range(6)]
    save_video(frames, tmp_path / "all.mp4", 8)
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    save_video(frames, tmp_path / "one.mp4", 8)
    os.sched_setaffinity(0, cores)
    assert (tmp_path / "all.mp4").read_bytes() == (tmp_path / "one.mp4").read_bytes()
