"""The embedded base from nothing: hours of training, then models/toybox. Goes on where it was stopped."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tasks.shared.command import silence_libraries
from vd_core.toybox.pretraining.assemble import assemble, publish_logs
from vd_core.toybox.pretraining.recipe import TRAININGS, train_on, train_part
from vd_core.toybox.world.demo import write_demo

LOGS = Path("metrics/pretrain")
STATES = Path.home() / ".cache" / "videodreamer" / "pretrain"


def main(
    states: Annotated[Path, typer.Option(help="where the trainings keep their states; outside git")] = STATES,
    target: Annotated[Path, typer.Option(help="where the finished base goes")] = Path("models/toybox"),
    part: Annotated[str | None, typer.Option(help=f"run one training alone: {', '.join(TRAININGS)}")] = None,
    further: Annotated[bool, typer.Option(help="train the finished base's U-Net and motion adapter on")] = False,
    demo_data: Annotated[bool, typer.Option(help="only draw data/toys again")] = False,
) -> None:
    """Train the embedded base, or draw the demo's own pictures."""
    silence_libraries()
    if demo_data:
        write_demo(Path("data/toys"))
    elif further:
        train_on(states / "further", target)
    elif part in TRAININGS:
        train_part(part, states)
    elif part:
        print(f"error: there is no training '{part}'; choose one of {', '.join(TRAININGS)}", file=sys.stderr)
        raise typer.Exit(1)
    else:
        for name in TRAININGS:
            train_part(name, states)
        assemble(states, target)
        publish_logs(states, LOGS)


if __name__ == "__main__":
    typer.run(main)
