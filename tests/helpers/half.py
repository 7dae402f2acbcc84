"""Trainings in float16 on a CPU: accelerate has them on GPUs alone, though PyTorch's autocast and gradient scaler work here too."""

from typing import Any

import pytest
import torch
from accelerate import Accelerator

from vd_core.training import loop


class HalfAccelerator(Accelerator):
    """What accelerate is on a GPU without bfloat16."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        assert self.mixed_precision == "fp16"
        self.native_amp, self.scaler = True, torch.amp.GradScaler("cpu")


def train_in_float16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trainings of a base in float16 compute as on a GPU."""
    monkeypatch.setattr(loop, "Accelerator", HalfAccelerator)
