"""The embedded base from nothing: hours of training, then models/toybox. Goes on where it was stopped."""

from pathlib import Path
from typing import Annotated

import typer

from tasks.command import quieten_libraries
from vd_core.toybox.demo import write_demo
from vd_core.toybox.pretrain import pretrain, train_on

STATES = Path.home() / ".cache" / "videodreamer" / "pretrain"


def main(
    states: Annotated[Path, typer.Option(help="where the trainings keep their states; outside git")] = STATES,
    target: Annotated[Path, typer.Option(help="where the finished base goes")] = Path("models/toybox"),
    further: Annotated[bool, typer.Option(help="train the finished base's U-Net and motion adapter on")] = False,
    demo_data: Annotated[bool, typer.Option(help="only draw data/toys again")] = False,
) -> None:
    """Train the embedded base, or draw the demo's own pictures."""
    quieten_libraries()
    if demo_data:
        write_demo(Path("data/toys"))
    elif further:
        train_on(states / "further", target)
    else:
        pretrain(states, target)


if __name__ == "__main__":
    typer.run(main)
