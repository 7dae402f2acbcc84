"""A training that computes no numbers any more stops, and its last good checkpoint stays."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.helpers.training import make_settings
from vd_core.errors import InputError
from vd_core.training.checkpoints import CheckpointClock, load_checkpoint
from vd_core.training.loop import Progress, Trained, build_accelerator, optimise
from vd_core.training.numbers import PATIENCE, NumberGuard


def train(folder: Path, loss_of: Callable[[torch.Tensor, int], torch.Tensor], steps: int = 6) -> None:
    """Train one number, which begins at 2."""
    model, seen = torch.nn.ParameterDict({"a": torch.nn.Parameter(torch.tensor(2.0))}), []

    def loss_fn(generator: torch.Generator) -> dict[str, torch.Tensor]:
        seen.append(generator)
        return {"loss": loss_of(model["a"], len(seen))}

    schedule, progress = make_settings(schedule={"steps": steps}).schedule, Progress(folder)
    accelerator = build_accelerator(schedule, torch.device("cpu"), torch.float32, progress)
    trained = Trained([model], {"a": model["a"]}, [{"params": [model["a"]], "lr": 0.1}], 1, "finetuning")
    optimise(accelerator, trained, loss_fn, schedule, progress, "f")


def test_a_loss_that_is_no_number_stops_the_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ran to its end, and all pictures were black."""
    monkeypatch.setattr(CheckpointClock, "is_due", lambda self: True)
    with pytest.raises(InputError, match=r"^finetuning: the loss of step 4 is no number: the learning rate may be too high; lower it$"):
        train(tmp_path, lambda a, step: a * (float("nan") if step == 4 else 1))
    assert read_state(tmp_path) == (3, True)


def read_state(folder: Path) -> tuple[int, bool]:
    """The steps of the checkpoint, and whether what it has is a number."""
    kept = torch.nn.Parameter(torch.zeros(()))
    start, _ = load_checkpoint(Progress(folder).state, {"a": kept}, torch.optim.AdamW([kept]), "f")
    return start, bool(torch.isfinite(kept))


def test_a_checkpoint_of_what_is_no_number_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finite loss may have a gradient that is no number: of the square root at 0."""
    monkeypatch.setattr(CheckpointClock, "is_due", lambda self: True)
    with pytest.raises(InputError, match=r"finetuning: a is no number after step 3"):
        train(tmp_path, lambda a, step: (a * 0).sqrt() if step == 3 else a)
    assert read_state(tmp_path) == (2, True)


def test_float16_may_lose_single_steps() -> None:
    guard, lost = NumberGuard("finetuning", "fp16"), [float("nan")] * PATIENCE
    for step, loss in enumerate([*lost, 0.5, *lost]):
        guard.see_loss(step, loss)
    with pytest.raises(InputError, match="set precision to float32, or to bf16 on a GPU"):
        guard.see_loss(99, float("inf"))
