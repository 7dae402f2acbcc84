"""One cell of a study, whole, in this process: `python -m tasks.studies.cell toybox quick disen_mix cat3_dog3`. DVC runs it as a stage."""

from pathlib import Path
from typing import Annotated

import typer

from tasks.shared.command import silence_libraries
from tasks.shared.exits import leave
from tasks.studies.figures import collect
from tasks.studies.plan import EditionName, ProfileName, plan_study
from tasks.studies.running import do, work_left
from tasks.studies.store import STORE
from tasks.studies.units import list_units
from vd_core.errors import InputError


def run_cell(edition: EditionName, profile: ProfileName, variant: str, combination: str, store: Path = STORE) -> None:
    """Finetune, render and score what is left to do of a cell, and collect it. InputError if the study has no such cell."""
    study = plan_study(edition, profile)
    units = list_units(study, variant, combination)
    if not units:
        raise InputError(f"{study.name} runs no {variant} on {combination}; benchmarks/studies.yaml says what it runs")
    for unit in units:
        for what in work_left(unit, store):
            do(what, unit, store)
    print(f"{sum(len(u.videos) for u in units)} clips: {collect(study.name, units, store)}/")


def main(
    edition: Annotated[EditionName, typer.Argument()],
    profile: Annotated[ProfileName, typer.Argument()],
    variant: Annotated[str, typer.Argument(help="a name under `variants` of benchmarks/studies.yaml")],
    combination: Annotated[str, typer.Argument(help="a combination of the edition")],
) -> None:
    """Run one variant on one combination; what is finished stands."""
    silence_libraries()
    try:
        run_cell(edition, profile, variant, combination)
    except InputError as error:
        leave(f"error: {error}", 1)


if __name__ == "__main__":
    typer.run(main)
