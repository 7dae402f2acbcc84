"""Every method on a base in float16, as on GPUs without bfloat16 (T4, V100, RTX 20): what learns is in float32, and what it leaves draws pictures."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState

from tests.helpers.half import train_in_float16
from tests.helpers.methods import EVERY_METHOD, SUBJECTS, pictures_for, run_method
from tests.helpers.training import make_motion_settings, make_settings
from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.customisation.load import load_customisation
from vd_core.generation.pictures import generate_pictures
from vd_core.methods import disen_mix
from vd_core.methods.motion import finetune_motion, whole_clip
from vd_core.training import loop
from vd_core.training.loop import Progress
from vd_core.training.optimizers import build_optimizer


@pytest.fixture
def half(base_folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Base]:
    """A base frozen in float16, whose trainings must move nothing but float32; accelerate keeps one precision a process."""

    def build(groups: list[dict], schedule: Any) -> torch.optim.Optimizer:
        assert {p.dtype for group in groups for p in group["params"]} == {torch.float32}
        return build_optimizer(groups, schedule)

    AcceleratorState._reset_state()
    train_in_float16(monkeypatch)
    monkeypatch.setattr(loop, "build_optimizer", build)
    yield load_base(folder_source(base_folders["sd1"]), torch.device("cpu"), dtype=torch.float16)
    AcceleratorState._reset_state()


@pytest.mark.parametrize(("name", "changes"), EVERY_METHOD)
def test_a_method_learns_on_a_base_in_float16(half: Base, tmp_path: Path, name: str, changes: dict[str, Any]) -> None:
    """Custom Diffusion's own parameters were in the base's 16 bits: float16 was refused, and bfloat16 rounded its steps away."""
    run_method(name, half, tmp_path, make_settings(**changes))
    base = load_base(half.source, half.device, dtype=torch.float16)
    plain = generate_pictures(base, ["a sks dog and a krk cat"], [1], 4, 3.0)
    load_customisation(base, tmp_path)
    drawn = generate_pictures(base, ["a sks dog and a krk cat"], [1], 4, 3.0)
    assert drawn[0].tobytes() != plain[0].tobytes()


def test_it_is_validated_meanwhile(half: Base, tmp_path: Path) -> None:
    def validate(step: int) -> dict[str, float]:
        return {"score": float(len(generate_pictures(half, ["a sks dog"], [step], 2, 3.0)))}

    own = [pictures_for(half, 2, 0), pictures_for(half, 2, 10)]
    settings = make_settings(schedule={"steps": 2}, validation={"every": 1})
    disen_mix.finetune(half, SUBJECTS, own, pictures_for(half, 2, 20), settings, Progress(tmp_path, None, validate), tmp_path)
    assert (tmp_path / "validation.csv").read_text().count("\n") == 3


@pytest.mark.parametrize("copies", [0, 2])
def test_a_motion_is_learned_on_a_base_in_float16(half: Base, tmp_path: Path, copies: int) -> None:
    """I_m and T_m from the clip, and T_m alone from copies."""
    clips = [whole_clip(pictures_for(half, 4, 10 * k), "a dog is skiing") for k in range(max(1, copies))]
    settings = replace(make_motion_settings(gradient_checkpointing=True), copies=copies)
    before = {k: p.clone() for k, p in half.motion_adapter.named_parameters()}
    model = finetune_motion(half, clips, settings, Progress(tmp_path))
    learned = dict(model.named_parameters())
    assert any(not torch.equal(p.float(), learned[k]) for k, p in before.items() if k in learned)
