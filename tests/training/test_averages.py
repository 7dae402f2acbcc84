"""The moving average of what is learned, and AdamW with moments in 8 bits: against literal ones, and through a kill."""

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.helpers.training import Killed, make_settings
from vd_core.errors import InputError
from vd_core.settings import Validation
from vd_core.training.loop import Progress, Trained, build_accelerator, optimise
from vd_core.training.optimizers import build_optimizer

DECAY = 0.6


def learn(folder: Path, killed_at: int | None = None, seen: list | None = None, keep_best: bool = False, **changes: object) -> torch.Tensor:
    """Six steps of a layer of 4096 weights towards random targets, validated in every one; its weights."""
    torch.manual_seed(0)
    model = nn.Linear(64, 64, bias=False)
    parameters = dict(model.named_parameters())
    schedule = make_settings(schedule={"steps": 6, "learning_rate": 0.1, "linear_decay": False, **changes}).schedule

    def loss_fn(generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {"loss": (model.weight - torch.randn(64, 64, generator=generator)).square().mean()}

    def validate(step: int) -> dict[str, float]:
        if seen is not None:
            seen.append(model.weight.detach().clone())
        if step == killed_at:
            raise Killed
        return {"score": float(step <= 3) * step}

    progress = Progress(folder, validate=validate)
    accelerator = build_accelerator(schedule, torch.device("cpu"), torch.float32, progress)
    groups = [{"params": [model.weight], "lr": schedule.learning_rate}]
    optimise(accelerator, Trained([model], parameters, groups, 1, "test"), loss_fn, schedule, progress, "f", Validation(1, 1, keep_best))
    return model.weight.detach().clone()


def test_what_is_kept_is_the_literal_average_of_the_steps(tmp_path: Path) -> None:
    steps: list[torch.Tensor] = []
    last = learn(tmp_path / "plain", seen=steps)
    assert torch.equal(last, steps[-1])
    torch.manual_seed(0)
    literal = nn.Linear(64, 64, bias=False).weight.detach().clone()
    validated: list[torch.Tensor] = []
    kept = learn(tmp_path / "averaged", seen=validated, ema_decay=DECAY)
    for step, own in zip(steps, validated, strict=True):
        literal = DECAY * literal + (1 - DECAY) * step
        torch.testing.assert_close(own, literal)
    torch.testing.assert_close(kept, literal)
    assert not torch.allclose(kept, last, atol=1e-2)
    best = learn(tmp_path / "best", keep_best=True, ema_decay=DECAY)
    assert torch.equal(best, validated[2])


@pytest.mark.parametrize("changes", [{"ema_decay": DECAY}, {"optimizer": "adamw_8bit"}, {"ema_decay": DECAY, "optimizer": "adamw_8bit"}])
def test_a_killed_training_ends_with_the_same_bytes(tmp_path: Path, changes: dict) -> None:
    if "optimizer" in changes:
        pytest.importorskip("bitsandbytes")
    whole = learn(tmp_path / "whole", **changes)
    with pytest.raises(Killed):
        learn(tmp_path / "killed", killed_at=4, **changes)
    assert torch.equal(learn(tmp_path / "killed", **changes), whole)


def test_eight_bits_learn_what_32_do(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    start, whole, small = (
        learn(tmp_path / "0", steps=1, learning_rate=1e-9),
        learn(tmp_path / "32"),
        learn(tmp_path / "8", optimizer="adamw_8bit"),
    )
    moved, apart = (whole - start).norm(), (whole - small).norm()
    assert 0 < float(apart) < 0.1 * float(moved)


def test_without_bitsandbytes_the_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    schedule = make_settings(schedule={"optimizer": "adamw_8bit"}).schedule
    with pytest.raises(InputError, match="optimizer: adamw_8bit needs bitsandbytes"):
        build_optimizer([{"params": [nn.Parameter(torch.zeros(1))]}], schedule)
