"""Whether a training still computes numbers: where it does not, everything that it has learned is lost, and all of its pictures would be black."""

import math

import torch

from vd_core.bases.device import OVERFLOWS
from vd_core.errors import InputError
from vd_core.training.checkpoints import Named

PATIENCE = 20
"""Steps in a row whose loss may be no number in float16: single ones overflow there, and accelerate's gradient scaler leaves them out."""

ADVICE = {
    "fp16": OVERFLOWS,
    "bf16": "the learning rate may be too high; lower it, or set precision to float32",
    "no": "the learning rate may be too high; lower it",
}


class NumberGuard:
    """Looks at the steps of the training called `name`, in accelerate's `mixed_precision`."""

    def __init__(self, name: str, mixed_precision: str):
        self.name, self.advice = name, ADVICE[mixed_precision]
        self.patience, self.lost = PATIENCE if mixed_precision == "fp16" else 0, 0

    def see_loss(self, step: int, loss: float) -> None:
        """InputError if the `loss` of a step, and of as many as are borne before it, is no number."""
        self.lost = 0 if math.isfinite(loss) else self.lost + 1
        if self.lost > self.patience:
            raise InputError(f"{self.name}: the loss of step {step} is no number: {self.advice}")

    def see_parameters(self, step: int, parameters: Named) -> None:
        """InputError if anything that was learned is no number: such a checkpoint must not take the place of the last good one."""
        broken = next((name for name, p in parameters.items() if not bool(torch.isfinite(p).all())), None)
        if broken:
            raise InputError(f"{self.name}: {broken} is no number after step {step}: {self.advice}")
