"""What a training stage keeps while it runs, what it publishes of it, and its processes."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from accelerate import PartialState

from tasks.shared.paths import CACHE, checkpoint_folder, curves_path, picture_path
from tasks.shared.plots import draw_losses
from vd_core.errors import InputError
from vd_core.files import write_text
from vd_core.training.loop import Progress

Validate = Callable[[int], dict[str, float]]
CURVES = {"losses": "step,loss\n", "validation": "step,score\n"}
"""What `dvc plots` draws of every training, and a table of it without rows."""


def open_progress(combination: str, stage: str, validate: Validate | None = None) -> Progress:
    """Where a stage keeps its checkpoint and logs while it trains, and TensorBoard's events: outside what DVC and git track."""
    return Progress(checkpoint_folder(combination, stage), CACHE / "tensorboard" / combination / stage, validate)


def publish_progress(progress: Progress, folder: Path, title: str) -> None:
    """Put the CSVs, the loss curve and the validations' contact sheets of a finished training into its `folder`."""
    for log in (progress.losses, progress.validation):
        if log.exists():
            shutil.copy(log, folder)
    for sheet in sorted(progress.folder.glob("*.jpg")):
        (folder / "validation").mkdir(exist_ok=True)
        shutil.copy(sheet, folder / "validation")
    draw_losses(progress.losses, folder / "losses.png", title)


def publish_curves(combination: str, stage: str, folder: Path | None) -> None:
    """Write what `dvc plots` draws of a training whose CSVs are in `folder`, and a picture; tables without rows if it did not train or validate."""
    if not PartialState().is_main_process:
        return
    for kind, head in CURVES.items():
        source = folder / f"{kind}.csv" if folder else None
        write_text(curves_path(kind, combination, stage), source.read_text() if source and source.is_file() else head)
    picture = picture_path(combination, stage)
    picture.parent.mkdir(parents=True, exist_ok=True)
    draw_losses(curves_path("losses", combination, stage), picture, f"{stage} of {combination}")


def forget_progress(progress: Progress) -> None:
    """The training is finished and its outputs stand: the checkpoint is no longer needed."""
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
        raise InputError(f"params.yaml: processes: one of {processes} processes failed; what it printed stands above")
    return True
