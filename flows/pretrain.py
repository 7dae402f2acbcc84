"""The flow "videodreamer-pretrain": the embedded base from nothing, a task a training. `python -m flows.pretrain`; hours."""

import os
import subprocess
import sys
from pathlib import Path

import typer
from prefect import flow, task

from flows.processes import start_group
from flows.progress import Bar
from flows.quiet import drop_tracebacks
from flows.reproduce import ALLOCATOR, StageError, follow
from flows.server import connected
from flows.terminal import one_line_errors
from flows.words import last_word
from tasks.commands.pretrain import LOGS, STATES
from vd_core.toybox.pretraining.assemble import assemble, publish_logs
from vd_core.toybox.pretraining.recipe import TRAININGS


@task(task_run_name="{part}")
def train(part: str, states: Path) -> None:
    """Run one training in a process of its own; one that was stopped goes on where it was."""
    bar = Bar(f"pretrain-{part}-progress".replace("_", "-"), f"training of {part}")
    command = [sys.executable, "-m", "tasks.commands.pretrain", "--states", str(states), "--part", part]
    environment = os.environ | ALLOCATOR
    code, said = follow(start_group(command, environment, subprocess.PIPE), bar)
    if code != 0:
        raise StageError(f"{part}: {last_word(said)}")
    bar.finish()


@flow(name="videodreamer-pretrain")
def pretrain(states: Path = STATES, target: Path = Path("models/toybox")) -> None:
    """Train every part of the embedded base and put them together."""
    for part in TRAININGS:
        train(part, states)
    assemble(states, target)
    publish_logs(states, LOGS)


def main(states: Path = STATES, target: Path = Path("models/toybox")) -> None:
    """Train the embedded base from nothing as a Prefect flow; goes on where it was stopped."""
    with one_line_errors(), connected():
        drop_tracebacks()
        pretrain(states, target)


if __name__ == "__main__":
    typer.run(main)
