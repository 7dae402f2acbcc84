"""A training's state on disk: written atomically, restored bitwise, and ignored when it belongs to another run."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from vd_core.files import replacing

Named = dict[str, nn.Parameter]

SECONDS, SHARE = 60.0, 0.05
"""A checkpoint is written this long after the last one, and writing takes at most this share of the time: AnimateDiff's motion modules leave 5 GB."""


class CheckpointClock:
    """When the next checkpoint is due."""

    def __init__(self) -> None:
        self.last, self.took = time.monotonic(), 0.0

    def is_due(self) -> bool:
        """Whether the last one lies long enough ago."""
        return time.monotonic() - self.last > max(SECONDS, self.took / SHARE)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A checkpoint is written in the block."""
        begun = time.monotonic()
        yield
        self.last = time.monotonic()
        self.took = self.last - begun


def save_checkpoint(
    path: Path,
    parameters: Named,
    optimizer: torch.optim.Optimizer,
    step: int,
    fingerprint: str,
    others: Mapping[str, torch.Tensor] = MappingProxyType({}),
    window: Sequence[dict[str, float]] = (),
) -> None:
    """Write the trained parameters, their optimizer state after `step` steps, `others` under their own names, and the losses not yet logged."""
    tensors = {f"model.{k}": p for k, p in parameters.items()} | dict(others)
    for name, parameter in parameters.items():
        tensors |= {f"optimizer.{name}.{k}": torch.as_tensor(v) for k, v in optimizer.state[parameter].items()}
    tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    with replacing(path) as aside:
        save_file(tensors, aside, {"step": json.dumps(step), "fingerprint": fingerprint, "window": json.dumps(list(window))})


@torch.no_grad()
def load_checkpoint(
    path: Path, parameters: Named, optimizer: torch.optim.Optimizer, fingerprint: str
) -> tuple[int, list[dict[str, float]]]:
    """Read a checkpoint in place; the step to go on from and the losses not yet logged: 0 and none if it is another run's (`fingerprint`)."""
    if not path.exists():
        return 0, []
    with safe_open(path, "pt") as file:
        if file.metadata()["fingerprint"] != fingerprint:
            return 0, []
        for name, parameter in parameters.items():
            parameter.copy_(file.get_tensor(f"model.{name}"))
            prefix = f"optimizer.{name}."
            keys = [k for k in file.keys() if k.startswith(prefix)]
            state = {k[len(prefix) :]: file.get_tensor(k) for k in keys}
            optimizer.state[parameter] = {k: restore(v, parameter.device) for k, v in state.items()}
        return json.loads(file.metadata()["step"]), json.loads(file.metadata().get("window", "[]"))


def restore(value: torch.Tensor, device: torch.device) -> torch.Tensor | int:
    """A state's tensor on the parameter's device, or the number that it was (8-bit AdamW counts its steps in plain ones)."""
    return int(value) if value.ndim == 0 and not value.is_floating_point() else value.to(device)


def save_parameters(path: Path, parameters: Named) -> None:
    """Write parameters alone."""
    with replacing(path) as aside:
        save_file({k: p.detach().cpu().contiguous() for k, p in parameters.items()}, aside)


@torch.no_grad()
def load_parameters(path: Path, parameters: Named) -> None:
    """Read back in place what `save_parameters` wrote."""
    for name, tensor in load_file(path).items():
        parameters[name].copy_(tensor)


def read_tensors(path: Path, prefix: str) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint whose names start with `prefix`, without it."""
    with safe_open(path, "pt") as file:
        return {k[len(prefix) :]: file.get_tensor(k) for k in file.keys() if k.startswith(prefix)}
