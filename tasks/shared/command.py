"""What every stage's command line shares: arguments, one-line errors, quiet libraries, outputs written aside and renamed."""

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from accelerate import PartialState

from tasks.shared.params import Combination, Params, load_params
from tasks.shared.plots import draw_losses
from vd_core.bases.latents import LatentsCache
from vd_core.bases.stable_diffusion import Base, choose_device, load_base
from vd_core.errors import InputError
from vd_core.inputs.subjects import Subject, check_placeholder_tokens, load_subjects
from vd_core.training.loop import Progress

CACHE = Path(".cache")


def run_stage(stage: Callable[[Params, str], None]) -> None:
    """Run `stage(params, combination)` from the command line: `python -m tasks.<stage> <combination> [--debug]`."""

    def command(
        combination: Annotated[str, typer.Argument(help="a name under params.yaml: combinations")],
        debug: Annotated[bool, typer.Option(help="show the traceback of an error")] = False,
    ) -> None:
        quieten_libraries()
        try:
            params = load_params()
            params.combination(combination)
            stage(params, combination)
        except InputError as error:
            if debug:
                raise
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(1) from None

    command.__doc__ = stage.__doc__
    typer.run(command)


def quieten_libraries() -> None:
    """Let the libraries speak only when something is wrong."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    import diffusers
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    diffusers.logging.set_verbosity_error()
    diffusers.logging.disable_progress_bar()


def open_base(params: Params, subjects: list[Subject], motion: bool = False) -> Base:
    """The base that params.yaml names, on its device; every subject's placeholder checked against its tokenizer."""
    device = choose_device(params.device)
    PartialState(cpu=device.type == "cpu")  # each process that accelerate launched takes its own GPU
    base = load_base(params.base, device, motion)
    base.latents_cache = LatentsCache(CACHE / "latents", base.vae)
    check_placeholder_tokens(subjects, base.tokenizer)
    return base


def open_subjects(params: Params, name: str) -> tuple[Combination, list[Subject]]:
    """The combination and its subjects."""
    combination = params.combination(name)
    return combination, load_subjects(Path("data") / name, combination.subjects)


def run_folder(combination: str, stage: str) -> Path:
    """Where a stage writes."""
    return Path("runs") / combination / stage


def open_progress(combination: str, stage: str, validate: Callable[[int], dict[str, float]] | None = None) -> Progress:
    """Where a stage keeps its checkpoint and logs while it trains, and TensorBoard's events: outside what DVC and git track."""
    return Progress(CACHE / "checkpoints" / combination / stage, CACHE / "tensorboard" / combination / stage, validate)


def publish_progress(progress: Progress, folder: Path, title: str) -> None:
    """Put the CSVs, the loss curve and the validations' contact sheets of a finished training into its `folder`."""
    for log in (progress.losses, progress.validation):
        if log.exists():
            shutil.copy(log, folder)
    for sheet in sorted(progress.folder.glob("*.jpg")):
        (folder / "validation").mkdir(exist_ok=True)
        shutil.copy(sheet, folder / "validation")
    draw_losses(progress.losses, folder / "losses.png", title)


def forget_progress(progress: Progress) -> None:
    """The training is finished and its outputs stand: the checkpoint is of no more use."""
    if PartialState().is_main_process:
        shutil.rmtree(progress.folder, ignore_errors=True)


def launch(module: str, combination: str, processes: int) -> bool:
    """Run `module` again in `processes` processes and wait; False if there is one, or this is one of them.

    PyTorch's launcher, which is what `accelerate launch --multi_gpu` calls too. InputError if one of them fails; it has said why.
    """
    if processes == 1 or "LOCAL_RANK" in os.environ:
        return False
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    if subprocess.run([*launcher, "-m", module, combination], check=False).returncode:
        raise InputError(f"params.yaml: finetune.processes: one of {processes} processes failed; what it said stands above")
    return True


@contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """A new folder that takes `target`'s place if the block ends well; otherwise `target` stays as it was.

    Of several processes the main one's folder counts; the others' are thrown away.
    """
    process = PartialState()
    aside = target.with_name(f".{target.name}.new" + (f".{process.process_index}" if not process.is_main_process else ""))
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    yield aside
    if not process.is_main_process:
        shutil.rmtree(aside)
        return
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    os.replace(aside, target)
    shutil.rmtree(old, ignore_errors=True)
