"""The Prefect task that brings one DVC stage up to date: log lines, progress, cached or run."""

import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

from prefect import get_run_logger, task
from prefect.states import Completed, State

from flows.artifacts import key_of, publish, publish_validation
from flows.processes import end_group, name_user, start_group
from flows.progress import PERCENT, VALIDATED, Bar
from flows.words import is_housekeeping, is_unchanged, last_word, name_holder
from tasks.shared.paths import STAGES, log_path
from vd_core.errors import InputError
from vd_core.files import write_text

RETRY_SECONDS = 5.0
SAY_SECONDS = 60.0
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "17179869184"}
NO_GIT = "this folder has no .git, which DVC needs: clone the repository, or run 'git init' here"


def require_git(folder: Path) -> None:
    """InputError if neither `folder` nor one above it is a git repository."""
    if not any((place / ".git").exists() for place in (folder, *folder.parents)):
        raise InputError(NO_GIT)


class StageError(RuntimeError):
    """A stage ended with an error; the message is the cause in one line, and where the whole log is."""


@task(task_run_name="{stage}")
def reproduce(stage: str, combination: str) -> State | str:
    """Run `dvc repro --single-item <stage>@<combination>`; a stage that was up to date ends as Completed(name="Cached")."""
    bar = Bar(key_of(combination, f"{stage}-progress"), f"{stage} of {combination}")
    log = log_path(combination, stage)
    code, said = follow(start_stage(stage, combination), bar, partial(publish_validation, stage, combination))
    asked = time.monotonic() - SAY_SECONDS
    while code != 0 and (holder := name_holder(said)):
        if time.monotonic() - asked >= SAY_SECONDS:
            asked = time.monotonic()
            get_run_logger().info(f"waits for another run that has what {stage}@{combination} needs: {holder}")
        time.sleep(RETRY_SECONDS)
        code, said = follow(start_stage(stage, combination), bar, partial(publish_validation, stage, combination))
    if not is_unchanged(said):
        write_text(log, "\n".join(said) + "\n")
    if code != 0:
        raise StageError(f"{stage}@{combination}: {last_word(said)} (whole log: {log})")
    bar.finish()
    if is_unchanged(said):
        return Completed(name="Cached", message=f"{stage}: no dependency changed")
    publish(stage, combination)
    return f"{stage} done"


def follow(process: subprocess.Popen, bar: Bar, validated: Callable[[], None] = lambda: None) -> tuple[int, list[str]]:
    """Log what a stage says, and show how far it is, until it ends; its exit code and its lines. `validated` is called after each validation.

    If this is interrupted (Ctrl-C, a cancelled run), the stage ends with all its processes.
    """
    said = []
    try:
        for line in read_lines(process.stdout):
            if PERCENT.search(line):
                bar.show(line)
                continue
            said.append(line)
            log_line(line)
            if VALIDATED.search(line):
                validated()
        return process.wait(), said
    finally:
        end_group(process)


@task
def restore(combination: str) -> None:
    """Bring outputs that somebody deleted or changed back from DVC's cache, as dvc.lock has them, instead of computing them again.

    What another run is just making, and what was never made, stays as it is. InputError if DVC cannot work in this folder.
    """
    process = start_dvc("checkout", "--force", "--allow-missing", *(f"{stage}@{combination}" for stage in STAGES))
    try:
        for line in read_lines(process.stdout):
            if "not a git repository" in line:
                raise InputError(NO_GIT)
            log_line(line)
    finally:
        end_group(process)


def log_line(line: str) -> None:
    """Log what DVC or a stage said; DVC's housekeeping at the level DEBUG."""
    get_run_logger().log(logging.DEBUG if is_housekeeping(line) else logging.INFO, line)


def start_stage(stage: str, combination: str) -> subprocess.Popen:
    """Start DVC on one stage."""
    return start_dvc("repro", "--single-item", f"{stage}@{combination}")


def start_dvc(*arguments: str) -> subprocess.Popen:
    """Start DVC, with this Python first on its path and large allocations kept (see docs/pipeline.md)."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = os.environ | ALLOCATOR | {"PATH": path, "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1"}
    if name_user() is None:  # a container's user without a name: DVC and PyTorch ask for one
        environment["USER"] = "nobody"
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments]
    return start_group(command, environment, subprocess.PIPE)


def read_lines(stream: IO[bytes] | None) -> Iterator[str]:
    """The lines of a stream as they come, where a carriage return ends one too (progress bars)."""
    assert stream is not None
    rest = b""
    while chunk := os.read(stream.fileno(), 4096):
        *lines, rest = re.split(rb"[\r\n]", rest + chunk)
        yield from (line.decode(errors="replace").strip() for line in lines if line.strip())
    if rest.strip():
        yield rest.decode(errors="replace").strip()
