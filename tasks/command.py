"""What every stage's command line shares: arguments, one-line errors, quiet libraries, outputs written aside and renamed."""

import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from vd_core.bases import Base, choose_device, load_base
from vd_core.config import Combination, Params, load_params
from vd_core.errors import InputError
from vd_core.subjects import Subject, check_placeholder_tokens, load_subjects


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
    base = load_base(params.base, choose_device(params.device), motion)
    check_placeholder_tokens(subjects, base.tokenizer)
    return base


def open_subjects(params: Params, name: str) -> tuple[Combination, list[Subject]]:
    """The combination and its subjects."""
    combination = params.combination(name)
    return combination, load_subjects(Path("data") / name, combination.subjects)


def run_folder(combination: str, stage: str) -> Path:
    """Where a stage writes."""
    return Path("runs") / combination / stage


def state_file(combination: str, stage: str) -> Path:
    """Where a stage keeps its checkpoint while it trains; outside what DVC and git track."""
    return Path(".cache") / "checkpoints" / combination / f"{stage}.safetensors"


@contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """A new folder that takes `target`'s place if the block ends well; otherwise `target` stays as it was."""
    aside = target.with_name(f".{target.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    yield aside
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    os.replace(aside, target)
    shutil.rmtree(old, ignore_errors=True)
