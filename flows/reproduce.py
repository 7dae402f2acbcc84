"""The Prefect task that brings one DVC stage up to date: log lines, progress, cached or run."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from uuid import UUID

from prefect import get_run_logger, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.states import Completed, State

from flows.artifacts import publish
from tasks.shared.paths import STAGES

UNCHANGED = "didn't change, skipping"
BUSY = "is busy, it is being blocked by"
RETRY_SECONDS = 5
PERCENT = re.compile(r"(\d{1,3})%\|")
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "17179869184"}


class StageError(RuntimeError):
    """A stage ended with an error; the message is the stage's own last word."""


@task(task_run_name="{stage}")
def reproduce(stage: str, combination: str) -> State | str:
    """Run `dvc repro --single-item <stage>@<combination>`; a stage that was up to date ends as Completed(name="Cached")."""
    logger = get_run_logger()
    artifact = create_progress_artifact(
        0.0, key=f"{combination}-{stage}-progress".replace("_", "-"), description=f"{stage} of {combination}"
    )
    code, said = follow(start_stage(stage, combination), artifact)
    while code != 0 and (holder := name_holder(said)):
        logger.info(f"another process has what {stage}@{combination} needs ({holder}); trying again in {RETRY_SECONDS} seconds")
        time.sleep(RETRY_SECONDS)
        code, said = follow(start_stage(stage, combination), artifact)
    if code != 0:
        raise StageError(f"{stage}@{combination}: {last_word(said)}")
    update_progress_artifact(artifact, 100.0)
    publish(stage, combination)
    if any(UNCHANGED in line for line in said):
        return Completed(name="Cached", message=f"{stage}: no dependency changed")
    return f"{stage} done"


def follow(process: subprocess.Popen, artifact: UUID) -> tuple[int, list[str]]:
    """Log what a stage says and show how far it is, until it ends; its exit code and its lines."""
    logger, said = get_run_logger(), []
    for line in read_lines(process.stdout):
        percent = PERCENT.search(line)
        if percent:
            update_progress_artifact(artifact, float(percent[1]))
            show_progress(line)
        elif line:
            said.append(line)
            logger.info(line)
    return process.wait(), said


def name_holder(said: list[str]) -> str | None:
    """Which process has the files that DVC found busy, in DVC's words; None if that was not why it failed."""
    if not any(BUSY in line for line in said):
        return None
    return next((line for line in said if line.startswith("(PID")), "DVC does not say which")


@task
def restore(combination: str) -> None:
    """Bring outputs that somebody deleted or changed back from DVC's cache, as dvc.lock has them, instead of computing them again.

    What another run is just making, and what was never made, stays as it is.
    """
    targets = [f"{stage}@{combination}" for stage in STAGES]
    for line in read_lines(start_dvc("checkout", "--force", "--allow-missing", *targets).stdout):
        get_run_logger().info(line)


def start_stage(stage: str, combination: str) -> subprocess.Popen:
    """Start DVC on one stage."""
    return start_dvc("repro", "--single-item", f"{stage}@{combination}")


def start_dvc(*arguments: str) -> subprocess.Popen:
    """Start DVC, with this Python first on its path and large allocations kept (see docs/pipeline.md)."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = os.environ | ALLOCATOR | {"PATH": path, "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1"}
    command = [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment)


def read_lines(stream: IO[bytes] | None) -> Iterator[str]:
    """The lines of a stream as they come, where a carriage return ends one too (progress bars)."""
    assert stream is not None
    rest = b""
    while chunk := os.read(stream.fileno(), 4096):
        *lines, rest = re.split(rb"[\r\n]", rest + chunk)
        yield from (line.decode(errors="replace").strip() for line in lines if line.strip())
    if rest.strip():
        yield rest.decode(errors="replace").strip()


def show_progress(line: str) -> None:
    """A bar's newest line, in place, if a person is watching the terminal."""
    if sys.stderr.isatty():
        end = "\n" if "100%|" in line else ""
        print(f"\r{line[:100]:<100}", end=end, file=sys.stderr, flush=True)


def last_word(said: list[str]) -> str:
    """The stage's own one-line error, or else the last line that says anything."""
    errors = [line for line in said if line.lower().startswith("error")]
    return (errors or said or ["it printed nothing"])[0]
