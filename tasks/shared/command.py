"""What every stage's command line shares: arguments, one-line errors, quiet libraries, outputs that replace the old ones in one step."""

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from accelerate import PartialState

from tasks.shared.exits import as_line, leave
from tasks.shared.paths import run_folder
from tasks.shared.sections import S, read_section
from vd_core.files import write_text


def run_stage(stage: Callable[[S, str], None], model: type[S]) -> None:
    """Run `stage(section, combination)` from the command line: `python -m tasks.<stage> <combination> [--debug]`."""
    name = stage.__name__.removesuffix("_stage")

    def run(combination: str) -> None:
        stage(read_section(combination, name, model), combination)

    run.__doc__ = stage.__doc__
    run_command(run, name)


def run_command(body: Callable[[str], None], stage: str = "") -> None:
    """Run `body(combination)` from the command line; what a person can mend is one line and exit code 1; Ctrl-C one line and 130."""

    def command(
        combination: Annotated[str, typer.Argument(help="a name under params.yaml: combinations")],
        debug: Annotated[bool, typer.Option(help="show the traceback of an error")] = False,
    ) -> None:
        silence_libraries()
        try:
            body(combination)
        except KeyboardInterrupt:
            leave(
                "interrupted; what is finished stands, a training goes on from its last checkpoint, and a render after its last video", 130
            )
        except Exception as error:
            line = as_line(error, stage)
            if debug or line is None:
                raise
            leave(f"error: {line}", 1)

    command.__doc__ = body.__doc__
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)  # a traceback's last line stays whole
    app.command()(command)
    app()


def silence_libraries() -> None:
    """Let the libraries speak only when something is wrong."""
    warnings.filterwarnings("ignore", category=FutureWarning)
    import diffusers
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    diffusers.logging.set_verbosity_error()
    diffusers.logging.disable_progress_bar()


@contextmanager
def replaced_folder(combination: str, stage: str, work: str = "") -> Iterator[Path]:
    """A new folder that takes the place of the stage's if the block ends well; otherwise that stays as it was.

    With a hash of the `work` it holds what an earlier run of the very same work had written when it ended. Of several processes the main one's
    folder counts; the others' are thrown away.
    """
    target, process = run_folder(combination, stage), PartialState()
    aside = target.with_name(f".{target.name}.new" + (f".{process.process_index}" if not process.is_main_process else ""))
    begun = aside.with_name(f"{aside.name}.work")
    if not work or not begun.is_file() or begun.read_text() != work:
        begun.unlink(missing_ok=True)
        shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True, exist_ok=True)
    for half in aside.glob("*.tmp"):
        half.unlink()
    if work:
        write_text(begun, work)
    yield aside
    if not process.is_main_process:
        shutil.rmtree(aside)
        begun.unlink(missing_ok=True)
        return
    let_others_read(aside)
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    os.replace(aside, target)
    begun.unlink(missing_ok=True)
    shutil.rmtree(old, ignore_errors=True)


def let_others_read(folder: Path) -> None:
    """Give weights the permissions of all other files: safetensors writes what its owner alone can read, which no server and no colleague can open."""
    mask = os.umask(0)
    os.umask(mask)
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o666 & ~mask)
