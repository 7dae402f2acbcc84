"""Bad input: one line that names the file or key and says what to do; exit code not zero; nothing lost."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tasks.mix import mix
from tasks.shared.command import replaced_folder
from tasks.shared.params import load_params, raise_sampling_round
from vd_core.bases.stable_diffusion import choose_device, find_source
from vd_core.errors import InputError
from vd_core.inputs.clips import load_clip
from vd_core.inputs.pictures import find_pictures, load_picture
from vd_core.inputs.subjects import check_placeholder_tokens, load_subjects
from vd_core.toybox.pretraining.tokens import build_tokenizer

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  steps: 200", "  stepz: 200", r"finetune\.steps is missing"),
        ("seed: 0", "seed: 0\ncolour: red", r"colour is not a known key"),
        ("  lora_rank: 16", "  lora_rank: 16\n  lora_rnk: 16", r"finetune\.lora_rnk is not a known key; did you mean lora_rank\?"),
        ("  lora_rank: 16", "  lora_rank: 0", r"finetune\.lora_rank: input should be greater"),
        ("method: disen_mix", "method: magic", r"finetune\.method: input should be 'disen_mix'"),
        ("subjects: [dog, car]", "subjects: [../dog, car]", r"combinations\.toys\.subjects: '\.\./dog' is not a folder name"),
        ("subjects: [dog, car]", "subjects: [dog, dog]", r"names a subject twice"),
        ("base: toybox", "base: [toybox", r"not readable YAML"),
    ],
)
def test_wrong_params(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (ROOT / "params.yaml").read_text()
    assert old in text
    (tmp_path / "params.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as caught:
        load_params(tmp_path / "params.yaml")
    assert "\n" not in str(caught.value)


def test_the_projects_own_params_are_right() -> None:
    params = load_params(ROOT / "params.yaml")
    assert "toys" in params.combinations


def test_asking_for_other_candidates_keeps_the_rest_of_the_file(tmp_path: Path) -> None:
    before = (ROOT / "params.yaml").read_text()
    path = tmp_path / "params.yaml"
    path.write_text(before)
    assert [raise_sampling_round("toys", path) for _ in range(2)] == [1, 2]
    assert path.read_text() == before.replace("sampling_round: 0", "sampling_round: 2")


def test_unknown_combination() -> None:
    with pytest.raises(InputError, match="combinations has no 'toyz'; choose one of toys"):
        load_params(ROOT / "params.yaml").combination("toyz")


def test_unknown_base(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="base 'sd99' is unknown; choose toybox, sd15, sd21"):
        find_source("sd99")


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
        load_subjects(tmp_path, ("dog",))


def test_missing_subject_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"dog/ is missing"):
        load_subjects(tmp_path, ("dog",))


def test_placeholder_of_many_tokens(tmp_path: Path) -> None:
    (tmp_path / "dog").mkdir()
    (tmp_path / "dog" / "subject.yaml").write_text("class_noun: dog\nplaceholder_token: rumpelstiltskin")
    with pytest.raises(InputError, match="placeholder_token 'rumpelstiltskin' is .* tokens to this base"):
        check_placeholder_tokens(load_subjects(tmp_path, ("dog",)), build_tokenizer())


def test_video_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "motion.mp4").write_text("no video")
    with pytest.raises(InputError, match=r"motion\.mp4 is not a readable video"):
        load_clip(tmp_path / "motion.mp4", 4, 16)
    with pytest.raises(InputError, match=r"has 16 frames; at least 99"):
        load_clip(ROOT / "data" / "toys" / "motion.mp4", 99, 16)


def test_a_failing_stage_leaves_the_last_good_output(workspace: Path) -> None:
    mix(load_params(), "toys")
    before = Path("runs/toys/mix/sheet.jpg").read_bytes()
    Path("data/toys/dog/0.png").write_text("broken")
    with pytest.raises(InputError):
        mix(load_params(), "toys")
    assert before == Path("runs/toys/mix/sheet.jpg").read_bytes()


def test_a_kill_while_writing_leaves_the_last_good_output(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with replaced_folder(target) as folder:
        (folder / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), replaced_folder(target) as folder:
        (folder / "a").write_text("new")
        raise KeyboardInterrupt
    assert (target / "a").read_text() == "old"


def test_the_command_line_says_one_line_and_exits_1(workspace: Path) -> None:
    (workspace / "data" / "toys" / "dog" / "0.png").write_text("broken")
    command = [sys.executable, "-m", "tasks.mix", "toys"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=workspace, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == "error: data/toys/dog/0.png is not a readable picture (UnidentifiedImageError); replace or remove it"
    assert "Traceback" in subprocess.run([*command, "--debug"], capture_output=True, text=True, cwd=workspace, check=False).stderr
