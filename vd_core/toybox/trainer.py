"""One resumable training loop for every network of the embedded base.

All randomness is a function of the step, so a training that was killed and started again ends with the same bits.
"""

import csv
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm


def learning_rate(step: int, steps: int, peak: float, warmup: int = 200) -> float:
    """Linear warm-up, constant, and a linear decay to a twentieth over the last 30%."""
    decay = min(1.0, max(0.05, (steps - step) / (0.3 * steps)))
    return peak * min(1.0, (step + 1) / warmup) * decay


class Ema:
    """An exponential moving average of a module's parameters, in float32; warmed up so that the start is forgotten."""

    def __init__(self, module: nn.Module, decay: float):
        self.decay = decay
        self.weights = {k: p.detach().clone() for k, p in module.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        decay = min(self.decay, (step + 1) / (step + 10))
        live = dict(module.named_parameters())
        torch._foreach_lerp_(list(self.weights.values()), [live[k].detach() for k in self.weights], 1 - decay)


def save_state(path: Path, module: nn.Module, optimizer: torch.optim.Optimizer, ema: Ema, step: int) -> None:
    """Write weights, optimiser and average to a safetensors file, aside and renamed."""
    names = [k for k, p in module.named_parameters() if p.requires_grad]
    tensors = {f"model.{k}": v for k, v in module.state_dict().items()} | {f"ema.{k}": v for k, v in ema.weights.items()}
    for name, (_, state) in zip(names, optimizer.state.items(), strict=True):
        tensors |= {f"optimizer.{name}.{k}": v for k, v in state.items()}
    tensors = {k: v.detach().clone().contiguous() for k, v in tensors.items()}
    save_file(tensors, f"{path}.tmp", metadata={"step": json.dumps(step)})
    os.replace(f"{path}.tmp", path)


def load_state(path: Path, module: nn.Module, optimizer: torch.optim.Optimizer, ema: Ema) -> int:
    """Read what `save_state` wrote, in place; the step to go on from."""
    with safe_open(path, "pt") as file:
        tensors = {k: file.get_tensor(k) for k in file.keys()}
        step = json.loads(file.metadata()["step"])
    module.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
    ema.weights = {k: tensors[f"ema.{k}"] for k in ema.weights}
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            prefix = f"optimizer.{name}."
            optimizer.state[parameter] = {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
    return step


def ema_weights(path: Path) -> dict[str, torch.Tensor]:
    """The averaged weights (and the buffers) of a state file, as a state dict."""
    with safe_open(path, "pt") as file:
        keys = set(file.keys())
        model = {k[6:] for k in keys if k.startswith("model.")}
        return {k: file.get_tensor(f"ema.{k}" if f"ema.{k}" in keys else f"model.{k}") for k in model}


def fit(
    name: str,
    module: nn.Module,
    loss_fn: Callable[[int, torch.Generator], dict[str, torch.Tensor]],
    folder: Path,
    steps: int,
    peak_lr: float,
    ema_decay: float = 0.999,
    save_every: float = 240.0,
    on_save: Callable[[int], None] | None = None,
) -> Path:
    """Train `module` for `steps`; start where `folder` stands if it holds a state.

    `loss_fn(step, generator)` gives `{"loss": scalar, ...}`; everything in it is logged to `log.csv`. Returns the state file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "state.safetensors"
    optimizer = torch.optim.AdamW([p for p in module.parameters() if p.requires_grad], lr=peak_lr, weight_decay=0.01, foreach=True)
    ema = Ema(module, ema_decay)
    start = load_state(state, module, optimizer, ema) if state.exists() else 0
    log = LossLog(folder / "log.csv", start)
    last_save = time.monotonic()
    module.train()
    for step in tqdm(range(start, steps), initial=start, total=steps, desc=name, mininterval=5):
        torch.manual_seed(step)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, peak_lr)
        with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
            losses = loss_fn(step, torch.Generator().manual_seed(step))
        losses["loss"].float().backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        ema.update(module, step)
        log.add(step, {k: float(v) for k, v in losses.items()})
        if time.monotonic() - last_save > save_every or step + 1 == steps:
            save_state(state, module, optimizer, ema, step + 1)
            log.flush()
            if on_save:
                on_save(step + 1)
            last_save = time.monotonic()
    return state


class LossLog:
    """Means of every 25 steps, appended to a CSV; rows from `start` on are dropped, so a resumed log has no row twice."""

    def __init__(self, path: Path, start: int, every: int = 25):
        self.path, self.every, self.rows, self.window = path, every, [], []
        if path.exists():
            with path.open() as file:
                self.rows = [r for r in csv.DictReader(file) if int(r["step"]) < start]

    def add(self, step: int, losses: dict[str, float]) -> None:
        self.window.append(losses)
        if (step + 1) % self.every == 0:
            means = {k: f"{sum(w[k] for w in self.window) / len(self.window):.5f}" for k in losses}
            self.rows.append({"step": step, **means})
            self.window = []

    def flush(self) -> None:
        if not self.rows:
            return
        with open(f"{self.path}.tmp", "w", newline="") as file:
            writer = csv.DictWriter(file, list(self.rows[-1]))
            writer.writeheader()
            writer.writerows(self.rows)
        os.replace(f"{self.path}.tmp", self.path)
