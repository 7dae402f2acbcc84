"""The loop around every finetuning: accelerate, checkpoints, resume to the bit, a CSV of losses, a progress bar."""

import csv
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from tqdm import tqdm

from vd_core.checkpoints import Named, load_checkpoint, save_checkpoint

CHECKPOINT_SECONDS = 60.0


@dataclass(frozen=True)
class Run:
    """How long to train, from which seed, whether learning rates fall to zero, and where checkpoints (`state`) and losses (`log`) go; `name` stands at the progress bar."""

    steps: int
    seed: int
    max_grad_norm: float
    linear_decay: bool
    state: Path
    log: Path
    name: str


def optimise(
    accelerator: Accelerator,
    parameters: Named,
    groups: list[dict],
    loss_fn: Callable[[torch.Generator], dict[str, torch.Tensor]],
    run: Run,
    fingerprint: str,
) -> None:
    """AdamW over `groups` (of `parameters`), in place. `loss_fn(generator)` gives scalars, `loss` among them, which are all logged.

    All randomness of a step comes from the seed and the step, so a run that was killed goes on from `run.state` and ends with the
    same bits (one process, CPU). A checkpoint of another run, by its `fingerprint`, is passed over.
    """
    optimizer = torch.optim.AdamW(groups)
    start = load_checkpoint(run.state, parameters, optimizer, fingerprint)
    log, bar = LossLog(run.log, start), tqdm(range(start, run.steps), run.name, initial=start, total=run.steps, unit="step", mininterval=1)
    prepared = accelerator.prepare(optimizer)
    peaks = [group["lr"] for group in groups]
    last_checkpoint = time.monotonic()
    for step in bar:
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * (1 - step / run.steps) if run.linear_decay else peak
        with accelerator.autocast():
            losses = loss_fn(torch.Generator().manual_seed((run.seed << 32) + step))
        accelerator.backward(losses["loss"])
        accelerator.clip_grad_norm_(list(parameters.values()), run.max_grad_norm)
        prepared.step()
        prepared.zero_grad()
        log.add(step, {k: v.item() for k, v in losses.items()})
        bar.set_postfix(loss=f"{losses['loss'].item():.4f}", refresh=False)
        if time.monotonic() - last_checkpoint > CHECKPOINT_SECONDS and accelerator.is_main_process:
            log.write()
            save_checkpoint(run.state, parameters, optimizer, step + 1, fingerprint)
            last_checkpoint = time.monotonic()
    if accelerator.is_main_process:
        log.write()


class LossLog:
    """A CSV of means over every `every` steps; rows from `start` on are dropped, so that a resumed log has no row twice."""

    def __init__(self, path: Path, start: int, every: int = 10):
        self.path, self.every, self.rows, self.window = path, every, [], []
        if path.exists() and start:
            with path.open(newline="") as file:
                self.rows = [row for row in csv.DictReader(file) if int(row["step"]) <= start]

    def add(self, step: int, losses: dict[str, float]) -> None:
        """Take one step's losses in."""
        self.window.append(losses)
        if (step + 1) % self.every == 0:
            means = {k: f"{sum(w[k] for w in self.window) / len(self.window):.6f}" for k in losses}
            self.rows.append({"step": step + 1, **means})
            self.window = []

    def write(self) -> None:
        """Write all rows, aside and renamed."""
        if self.rows:
            aside = self.path.with_suffix(".tmp")
            with aside.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(self.rows[0]))
                writer.writeheader()
                writer.writerows(self.rows)
            os.replace(aside, self.path)
