"""One resumable training loop for every network of the embedded base, with an average of the weights.

All randomness is a function of the step, so a training that was killed and started again ends with the same bits.
"""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from vd_core.training.checkpoints import Named, load_checkpoint, read_tensors, save_checkpoint
from vd_core.training.logs import LossLog


def learning_rate(step: int, steps: int, peak: float, warmup: int = 200) -> float:
    """Linear warm-up, constant, and a linear decay to a twentieth over the last 30%."""
    decay = min(1.0, max(0.05, (steps - step) / (0.3 * steps)))
    return peak * min(1.0, (step + 1) / warmup) * decay


class Ema:
    """An exponential moving average of parameters, in float32; warmed up so that the start is forgotten."""

    def __init__(self, parameters: Named, decay: float):
        self.decay = decay
        self.weights = {k: p.detach().clone() for k, p in parameters.items()}

    @torch.no_grad()
    def update(self, parameters: Named, step: int) -> None:
        """Move towards `parameters` after step `step`."""
        decay = min(self.decay, (step + 1) / (step + 10))
        torch._foreach_lerp_(list(self.weights.values()), [parameters[k].detach() for k in self.weights], 1 - decay)


def ema_weights(state: Path) -> dict[str, torch.Tensor]:
    """The averaged weights (and the buffers and frozen weights) of a state file, as a state dict."""
    return read_tensors(state, "model.") | read_tensors(state, "ema.")


def fit(
    name: str,
    module: nn.Module,
    loss_fn: Callable[[int, torch.Generator], dict[str, torch.Tensor]],
    folder: Path,
    steps: int,
    peak_lr: float,
    ema_decay: float = 0.999,
    save_every: float = 240.0,
) -> Path:
    """Train `module` for `steps`; go on where `folder` stands if it holds a state of the training called `name`.

    `loss_fn(step, generator)` gives `{"loss": scalar, ...}`; everything in it is logged to `log.csv`. Returns the state file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "state.safetensors"
    parameters = {k: p for k, p in module.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(list(parameters.values()), lr=peak_lr, weight_decay=0.01, foreach=True)
    ema = Ema(parameters, ema_decay)
    start, window = load_checkpoint(state, parameters, optimizer, name)
    if start:
        module.load_state_dict(read_tensors(state, "model."))
        ema.weights = read_tensors(state, "ema.")
    log = LossLog(folder / "log.csv", start, window, every=25)
    last_save = time.monotonic()
    module.train()
    for step in tqdm(range(start, steps), initial=start, total=steps, desc=name, mininterval=5):
        torch.manual_seed(step)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, peak_lr)
        with torch.autocast("cpu", torch.bfloat16), sdpa_kernel([SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]):
            losses = loss_fn(step, torch.Generator().manual_seed(step))
        losses["loss"].float().backward()
        nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        ema.update(parameters, step)
        log.add(step, {k: v.item() for k, v in losses.items()})
        if time.monotonic() - last_save > save_every or step + 1 == steps:
            save_checkpoint(state, parameters, optimizer, step + 1, name, others(module, parameters, ema))
            log.write()
            last_save = time.monotonic()
    return state


def others(module: nn.Module, parameters: Named, ema: Ema) -> dict[str, torch.Tensor]:
    """What a state holds besides the parameters that learn: the frozen ones, the buffers, the average."""
    rest = {f"model.{k}": v for k, v in module.state_dict().items() if k not in parameters}
    return rest | {f"ema.{k}": v for k, v in ema.weights.items()}
