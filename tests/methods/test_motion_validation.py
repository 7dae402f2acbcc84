"""What a motion finetuning is told while it runs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers.pictures import noise_picture
from tests.helpers.training import make_motion_settings
from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.inputs.copies import Reference
from vd_core.methods.motion import build_motion_model, finetune_motion, whole_clip
from vd_core.methods.motion_validation import build_motion_validation, draw_clip
from vd_core.settings import MotionSettings, Sampling, Validation
from vd_core.training.loop import Progress

FRAMES, SAMPLING = 4, Sampling(4, 3.0)
XS = np.array([4.0, 8.0, 12.0, 16.0])


def reference() -> Reference:
    boxes = np.stack([XS - 2, np.full(FRAMES, 4.0), XS + 2, np.full(FRAMES, 8.0)], 1)
    return Reference(np.zeros((FRAMES, 8, 8, 3), np.uint8), "a man is skiing", "in the snow", boxes[None], np.zeros((FRAMES, 8, 8, 1)))


def settings(every: int, **changes: bool) -> MotionSettings:
    made = make_motion_settings(**changes)
    return replace(made, copies=2, validation=Validation(every, 1, False))


def found_at(xs: np.ndarray):
    """A finder that sees the noun at each of `xs` in turn, again and again."""
    seen = iter(np.tile(xs, 100))
    return lambda picture, noun: np.array([[(x := next(seen)) - 1, 4.0, x + 1, 6.0]])


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_what_goes_the_references_way_scores_one_and_what_goes_back_less(base: Base, tmp_path: Path) -> None:
    model, nouns = build_motion_model(load_base(base.source, base.device), 0), ["dog"]
    for xs, path in ((XS, 1.0), (XS[::-1], -1.0)):
        validate = build_motion_validation(base, found_at(xs), reference(), nouns, settings(1), SAMPLING, tmp_path)
        figures = validate(model, 7)
        assert figures["path"] == pytest.approx(path, abs=1e-6) and figures["found"] == 1.0
        assert figures["score"] == pytest.approx(path, abs=1e-6)
    with Image.open(tmp_path / "00007.jpg") as sheet:
        assert sheet.width > FRAMES * 128


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
@pytest.mark.parametrize("checkpointed", [False, True])
def test_a_training_is_validated_and_learns_the_same(base: Base, tmp_path: Path, checkpointed: bool) -> None:
    def learn(folder: Path, every: int) -> dict[str, torch.Tensor]:
        fresh = load_base(base.source, base.device)
        clips = [
            whole_clip([noise_picture(10 * k + i, (base.resolution,) * 2) for i in range(FRAMES)], "a dog is skiing") for k in range(2)
        ]
        wanted = settings(every, gradient_checkpointing=checkpointed)
        validate = build_motion_validation(fresh, found_at(XS), reference(), ["dog"], wanted, SAMPLING, folder) if every else None
        return finetune_motion(fresh, clips, wanted, Progress(folder), validate).state_dict()

    plain, validated = learn(tmp_path / "plain", 0), learn(tmp_path / "validated", 1)
    assert all(torch.equal(validated[k], v) for k, v in plain.items())
    assert (tmp_path / "validated/validation.csv").read_text().splitlines()[0].startswith("step,path,found,score")
    assert sorted(p.name for p in (tmp_path / "validated").glob("*.jpg")) == ["00001.jpg", "00002.jpg"]


def test_a_clip_is_drawn_in_16_bits_too(base_folders: dict[str, Path]) -> None:
    """What learns is float32 and the rest is not."""
    half = load_base(folder_source(base_folders["sd1"]), torch.device("cpu"), dtype=torch.bfloat16)
    embeds = half.text_encoder(torch.zeros(2, 5, dtype=torch.long)).last_hidden_state
    frames = draw_clip(half, build_motion_model(half, 0), embeds, 3, FRAMES, SAMPLING)
    assert frames.shape == (FRAMES, 3, half.resolution, half.resolution) and frames.isfinite().all()
