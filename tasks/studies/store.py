"""Where the results of units lie: one folder or file each, named by its key, written aside and renamed when it is whole."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from tasks.shared.paths import CACHE

STORE = CACHE / "studies"
TIMING = "seconds.json"


def finetuning_path(store: Path, key: str) -> Path:
    """A finetuning's weights."""
    return store / "finetunings" / key


def clip_path(store: Path, key: str) -> Path:
    """A clip's frames."""
    return store / "clips" / key


def score_path(store: Path, key: str) -> Path:
    """A clip's figures."""
    return store / "scores" / key


@contextmanager
def alone(store: Path, name: str) -> Iterator[None]:
    """No other process, here or on another machine with the same files, makes the results called `name` within the block."""
    (store / "locks").mkdir(parents=True, exist_ok=True)
    with FileLock(store / "locks" / f"{name}.lock"):
        yield


@contextmanager
def placed(target: Path) -> Iterator[Path]:
    """A path to make a folder at, which becomes `target` if the block ends well; what a killed process left there is thrown away."""
    aside = target.with_name(f".{target.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.parent.mkdir(parents=True, exist_ok=True)
    yield aside
    os.rename(aside, target)


def note_seconds(folder: Path, seconds: float) -> None:
    """Beside a result, how long it took: no part of any figure."""
    (folder / TIMING).write_text(json.dumps(round(seconds, 3)))


def read_seconds(folder: Path) -> float:
    """How long a result took."""
    return json.loads((folder / TIMING).read_text())
