"""The loop around every finetuning: accelerate, checkpoints, resume to the bit, validation, a progress bar, CSV and TensorBoard."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import TorchDynamoPlugin
from torch import nn
from tqdm import tqdm

from vd_core.seeds import generator_for
from vd_core.training.checkpoints import Named, load_checkpoint, load_parameters, save_checkpoint, save_parameters
from vd_core.training.logs import LossLog, ValidationLog

CHECKPOINT_SECONDS = 60.0
Losses = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Progress:
    """Where a training keeps what it needs to go on, in `folder`, and TensorBoard's events, if anywhere.

    `validate(step)` gives figures, `score` among them (higher is better), of the weights as they are after `step` steps.
    """

    folder: Path
    tensorboard: Path | None = None
    validate: Callable[[int], dict[str, float]] | None = None

    @property
    def state(self) -> Path:
        return self.folder / "state.safetensors"

    @property
    def losses(self) -> Path:
        return self.folder / "losses.csv"

    @property
    def validation(self) -> Path:
        return self.folder / "validation.csv"

    @property
    def best(self) -> Path:
        return self.folder / "best.safetensors"


@dataclass(frozen=True)
class Run:
    """How long to train, from which seed, whether learning rates fall to zero; `samples` pictures a batch; `name` stands at the progress bar.

    A step takes `gradient_accumulation` batches. Every `validate_every` steps (0: never) comes a validation; `keep_best` ends with its best weights.
    """

    steps: int
    seed: int
    max_grad_norm: float
    linear_decay: bool
    name: str
    samples: int
    validate_every: int = 0
    keep_best: bool = False


def build_accelerator(
    mixed_precision: str, gradient_accumulation: int, device: torch.device, progress: Progress, compile: bool = False
) -> Accelerator:
    """One process, or one of several that `accelerate launch` started. With `compile`, what it prepares is compiled; what was given to it is not."""
    accelerator = Accelerator(
        mixed_precision=mixed_precision,
        gradient_accumulation_steps=gradient_accumulation,
        cpu=device.type == "cpu",
        log_with="tensorboard" if progress.tensorboard else None,
        project_dir=progress.tensorboard,
        step_scheduler_with_optimizer=False,
        dynamo_plugin=TorchDynamoPlugin(backend="inductor", dynamic=False) if compile else None,
    )
    if progress.tensorboard:
        accelerator.init_trackers(".")
    return accelerator


def batch_generator(seed: int, step: int, batch: int, accelerator: Accelerator) -> torch.Generator:
    """All randomness of one batch: a function of the seed, the step, the batch in it, and the process."""
    return generator_for("batch", seed, step, batch, accelerator.process_index)


def optimise(
    accelerator: Accelerator,
    models: list[nn.Module],
    parameters: Named,
    groups: list[dict],
    loss_fn: Callable[[torch.Generator], Losses],
    run: Run,
    progress: Progress,
    fingerprint: str,
) -> None:
    """AdamW over `groups` (of `parameters`, those of `models` that learn), in place. `loss_fn(generator)` gives scalars, `loss` among them.

    A run that was killed goes on from `progress.folder` and ends with the same bits (one process, CPU). A checkpoint of another run, by
    its `fingerprint`, is passed over.
    """
    optimizer = torch.optim.AdamW(groups, fused=True)
    start = load_checkpoint(progress.state, parameters, optimizer, fingerprint)
    log, validations = LossLog(progress.losses, start), ValidationLog(progress.validation, start)
    prepared = accelerator.prepare(optimizer)
    peaks = [group["lr"] for group in groups]
    last_checkpoint = time.monotonic()
    bar = tqdm(
        range(start, run.steps),
        run.name,
        initial=start,
        total=run.steps,
        unit="step",
        mininterval=1,
        disable=not accelerator.is_main_process,
    )
    for step in bar:
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * (1 - step / run.steps) if run.linear_decay else peak
        losses = take_step(accelerator, models, parameters, prepared, loss_fn, run, step)
        log.add(step, losses)
        bar.set_postfix(loss=f"{losses['loss']:.4f}", samples=say_rate(bar, accelerator, run.samples), refresh=False)
        if not accelerator.is_main_process:
            continue
        accelerator.log(losses, step=step + 1)
        due = run.validate_every and (step + 1) % run.validate_every == 0
        figures = progress.validate(step + 1) if progress.validate and due else None
        if figures:
            accelerator.log({f"validation/{k}": v for k, v in figures.items()}, step=step + 1)
            if validations.add(step + 1, figures):
                save_parameters(progress.best, parameters)
        if figures or time.monotonic() - last_checkpoint > CHECKPOINT_SECONDS:
            log.write()
            validations.write()
            save_checkpoint(progress.state, parameters, optimizer, step + 1, fingerprint)
            last_checkpoint = time.monotonic()
    if accelerator.is_main_process:
        log.write()
        if run.keep_best and validations.rows:
            load_parameters(progress.best, parameters)
    accelerator.end_training()


def take_step(
    accelerator: Accelerator,
    models: list[nn.Module],
    parameters: Named,
    optimizer: torch.optim.Optimizer,
    loss_fn: Callable[[torch.Generator], Losses],
    run: Run,
    step: int,
) -> dict[str, float]:
    """One optimiser step over as many batches as are accumulated; the losses' means."""
    batches = accelerator.gradient_accumulation_steps
    sums: dict[str, float] = {}
    for batch in range(batches):
        with accelerator.accumulate(*models):
            with accelerator.autocast():
                losses = loss_fn(batch_generator(run.seed, step, batch, accelerator))
            accelerator.backward(losses["loss"])
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(list(parameters.values()), run.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad()
        sums = {k: sums.get(k, 0.0) + v.item() / batches for k, v in losses.items()}
    return sums


def say_rate(bar: tqdm, accelerator: Accelerator, samples: int) -> str:
    """Training pictures a second, for the progress bar."""
    rate = bar.format_dict["rate"] or 0.0
    return f"{rate * samples * accelerator.gradient_accumulation_steps * accelerator.num_processes:.1f}/s"
