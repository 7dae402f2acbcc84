"""An exponential moving average of what a training moves."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from vd_core.training.checkpoints import Named

PREFIX = "average."


class Averages:
    """Of each of `parameters`: a_t = decay a_{t-1} + (1 - decay) p_t, from the parameters as they are now. With a decay of 0 it is these themselves."""

    def __init__(self, parameters: Named, decay: float):
        self.parameters, self.decay = parameters, decay
        self.values = {k: p.detach().clone() for k, p in parameters.items()} if decay else {}

    @torch.no_grad()
    def update(self) -> None:
        """Take one step's parameters in."""
        for name, average in self.values.items():
            average.lerp_(self.parameters[name], 1 - self.decay)

    @property
    def state(self) -> dict[str, torch.Tensor]:
        """What a checkpoint keeps."""
        return {PREFIX + k: v for k, v in self.values.items()}

    @torch.no_grad()
    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Go on from a checkpoint's averages, by name without PREFIX."""
        for name, average in self.values.items():
            average.copy_(state[name])

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange parameters and averages."""
        for name, average in self.values.items():
            parameter = self.parameters[name]
            before = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(before)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The parameters are the averages within the block."""
        self.swap()
        try:
            yield
        finally:
            self.swap()
