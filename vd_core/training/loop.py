"""The loop around every finetuning: accelerate, checkpoints, bitwise resume, validation, a progress bar, CSV and TensorBoard."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import TorchDynamoPlugin
from torch import nn
from tqdm import tqdm

from vd_core.seeds import generator_for
from vd_core.settings import Schedule, Validation
from vd_core.training.averages import PREFIX, Averages
from vd_core.training.checkpoints import (
    CheckpointClock,
    Named,
    load_checkpoint,
    load_parameters,
    read_tensors,
    save_checkpoint,
    save_parameters,
)
from vd_core.training.logs import LossLog, ValidationLog
from vd_core.training.numbers import NumberGuard
from vd_core.training.optimizers import build_optimizer

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
class Trained:
    """What a training moves: `parameters` of `models`, in AdamW's `groups`; `samples` pictures a batch. `name` stands at the progress bar."""

    models: list[nn.Module]
    parameters: Named
    groups: list[dict]
    samples: int
    name: str


MIXED_PRECISION = {torch.float32: "no", torch.bfloat16: "bf16", torch.float16: "fp16"}


def build_accelerator(schedule: Schedule, device: torch.device, dtype: torch.dtype, progress: Progress) -> Accelerator:
    """One process, or one of several that `accelerate launch` started, that computes in `dtype`. If the schedule compiles, what it prepares is compiled, not what was given."""
    accelerator = Accelerator(
        mixed_precision=MIXED_PRECISION[dtype],
        gradient_accumulation_steps=schedule.gradient_accumulation,
        cpu=device.type == "cpu",
        log_with="tensorboard" if progress.tensorboard else None,
        project_dir=progress.tensorboard,
        step_scheduler_with_optimizer=False,
        dynamo_plugin=TorchDynamoPlugin(backend="inductor", dynamic=False) if schedule.compile else None,
    )
    if progress.tensorboard:
        accelerator.init_trackers(".")
    return accelerator


def batch_generator(seed: int, step: int, batch: int, accelerator: Accelerator) -> torch.Generator:
    """All randomness of one batch: a function of the seed, the step, the batch in it, and the process."""
    return generator_for("batch", seed, step, batch, accelerator.process_index)


def optimise(
    accelerator: Accelerator,
    trained: Trained,
    loss_fn: Callable[[torch.Generator], Losses],
    schedule: Schedule,
    progress: Progress,
    fingerprint: str,
    validation: Validation | None = None,
) -> None:
    """AdamW over what is `trained`, in place. `loss_fn(generator)` gives scalars, `loss` among them.

    A run that was killed goes on from `progress.folder` and ends with the same bytes (one process, CPU). A checkpoint of another run, by
    its `fingerprint`, is ignored. InputError if the loss is no number any more; the checkpoint from before stays.
    """
    parameters, guard = trained.parameters, NumberGuard(trained.name, accelerator.mixed_precision)
    optimizer, averages = build_optimizer(trained.groups, schedule), Averages(parameters, schedule.ema_decay)
    start, window = load_checkpoint(progress.state, parameters, optimizer, fingerprint)
    if start:
        averages.load(read_tensors(progress.state, PREFIX))
    if start and accelerator.is_main_process:
        print(f"{trained.name}: going on from step {start} of {schedule.steps}")
    log, validations = LossLog(progress.losses, start, window), ValidationLog(progress.validation, start)
    prepared = accelerator.prepare(optimizer)
    peaks = [group["lr"] for group in trained.groups]
    clock = CheckpointClock()
    bar = build_bar(trained.name, start, schedule.steps, accelerator)
    for step in bar:
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * (1 - step / schedule.steps) if schedule.linear_decay else peak
        losses = take_step(accelerator, trained, prepared, loss_fn, schedule, step)
        guard.see_loss(step + 1, losses["loss"])
        averages.update()
        log.add(step, losses)
        bar.set_postfix(loss=f"{losses['loss']:.4f}", samples=format_rate(bar, accelerator, trained.samples), refresh=False)
        if not accelerator.is_main_process:
            continue
        accelerator.log(losses, step=step + 1)
        with averages.applied():
            figures = validate(progress, validation, step + 1)
            if figures and validations.add(step + 1, figures):
                save_parameters(progress.best, parameters)
        if figures:
            accelerator.log({f"validation/{k}": v for k, v in figures.items()}, step=step + 1)
        if figures or clock.is_due():
            guard.see_parameters(step + 1, parameters)
            log.write()
            validations.write()
            with clock.writing():
                save_checkpoint(progress.state, parameters, optimizer, step + 1, fingerprint, averages.state, log.window)
        if figures:
            bar.write(f"{trained.name}: validation after {step + 1} steps: " + ", ".join(f"{k} {v:.3f}" for k, v in figures.items()))
    averages.swap()
    guard.see_parameters(schedule.steps, parameters)
    if accelerator.is_main_process:
        log.write()
        if validation and validation.keep_best and validations.rows:
            load_parameters(progress.best, parameters)
    accelerator.end_training()


def build_bar(name: str, start: int, steps: int, accelerator: Accelerator) -> tqdm:
    """The progress bar over the steps from `start`; of several processes the main one shows it."""
    silent = not accelerator.is_main_process
    return tqdm(range(start, steps), name, initial=start, total=steps, unit="step", mininterval=1, disable=silent)


def validate(progress: Progress, validation: Validation | None, step: int) -> dict[str, float] | None:
    """The figures of a validation that is due after `step` steps."""
    if progress.validate and validation and validation.every and step % validation.every == 0:
        return progress.validate(step)
    return None


def take_step(
    accelerator: Accelerator,
    trained: Trained,
    optimizer: torch.optim.Optimizer,
    loss_fn: Callable[[torch.Generator], Losses],
    schedule: Schedule,
    step: int,
) -> dict[str, float]:
    """One optimizer step over as many batches as are accumulated; the losses' means."""
    batches = accelerator.gradient_accumulation_steps
    sums: dict[str, float] = {}
    for batch in range(batches):
        with accelerator.accumulate(*trained.models):
            with accelerator.autocast():
                losses = loss_fn(batch_generator(schedule.seed, step, batch, accelerator))
            accelerator.backward(losses["loss"])
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(list(trained.parameters.values()), schedule.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad()
        sums = {k: sums.get(k, 0.0) + v.item() / batches for k, v in losses.items()}
    return sums


def format_rate(bar: tqdm, accelerator: Accelerator, samples: int) -> str:
    """Training pictures a second, for the progress bar."""
    rate = bar.format_dict["rate"] or 0.0
    return f"{rate * samples * accelerator.gradient_accumulation_steps * accelerator.num_processes:.1f}/s"
