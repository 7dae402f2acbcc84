"""`python -m tasks.commands.study report|keep|take-back|cost`: a study's tables and page from its figures alone, its figures for git and back, what a benchmark costs on paper."""

from pathlib import Path
from typing import Annotated

import typer

from tasks.shared.documents import as_table, fill_table
from tasks.shared.exits import leave
from tasks.studies.keeping import keep, take_back
from tasks.studies.plan import EditionName, ProfileName, plan_study
from tasks.studies.report import measured_seconds, read_ranks, write_report
from tasks.studies.running import work_left
from tasks.studies.store import STORE
from tasks.studies.units import CHUNK, list_units
from vd_core.errors import InputError
from vd_core.studies.cost import FULL, Seconds, cost_of

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
DOCUMENT = Path("docs/benchmark.md")
DEVICES = (1, 8, 64)
Edition = Annotated[EditionName, typer.Option(help="an edition of MultiStudioBench")]
Profile = Annotated[ProfileName, typer.Option(help="a profile of benchmarks/studies.yaml")]
Positive = Annotated[float | None, typer.Option(min=0.001, help="seconds, in the place of the measured ones")]


@app.command()
def report(
    edition: Edition = "toybox",
    profile: Profile = "quick",
    ranks: Annotated[Path | None, typer.Option(help="people's mean ranks, the file that `rank collect` wrote")] = None,
    document: Annotated[bool, typer.Option("--document", help="put the tables into docs/benchmark.md too")] = False,
) -> None:
    """Write the tables and the page from the figures of a study that has run."""
    try:
        written = write_report(plan_study(edition, profile), read_ranks(ranks) if ranks else {})
    except InputError as error:
        leave(f"error: {error}", 1)
    if document:
        fill_table(DOCUMENT, "tables", f"\n{Path(written['tables']).read_text()}\n")
    print("\n".join(written.values()))


@app.command("keep")
def keep_figures(edition: Edition = "toybox", profile: Profile = "quick") -> None:
    """Write the figures of a study that has not run to its end into metrics/studies/, for git: on another machine `take-back` lets it go on from there."""
    try:
        study = plan_study(edition, profile)
        path, count = keep(study.name, list_units(study), STORE)
    except InputError as error:
        leave(f"error: {error}", 1)
    print(f"{path}: the figures of {count} clips")


@app.command("take-back")
def take_figures_back(edition: Edition = "toybox", profile: Profile = "quick") -> None:
    """Take what `keep`, or a finished run, wrote on another machine for done: the study goes on from there, unless its settings or its code have changed."""
    try:
        study = plan_study(edition, profile)
        print(f"the figures of {take_back(study.name, list_units(study), STORE)} clips need not be computed again")
    except InputError as error:
        leave(f"error: {error}", 1)


@app.command()
def cost(
    edition: Edition = "toybox",
    profile: Profile = "quick",
    finetuning: Positive = None,
    text2video_zero: Positive = None,
    animatediff: Positive = None,
    score: Positive = None,
    document: Annotated[bool, typer.Option("--document", help="put the table into docs/benchmark.md too")] = False,
) -> None:
    """What 1,800 videos of four methods by two generators cost on 1, 8 and 64 devices: from a study's own seconds, or from those given."""
    given = (finetuning, text2video_zero, animatediff, score)
    try:
        seconds = Seconds(*(s for s in given if s)) if all(given) else read_measured(edition, profile)
    except InputError as error:
        leave(f"error: {error}", 1)
    table = cost_table(seconds)
    if document:
        fill_table(DOCUMENT, "cost", table)
    print(table, end="")


def read_measured(edition: EditionName, profile: ProfileName) -> Seconds:
    """The mean seconds of the units of a study that has run on this machine; InputError if it has not."""
    units = list_units(plan_study(edition, profile))
    if any(work_left(unit, STORE) for unit in units):
        raise InputError(
            f"{edition}-{profile} has not run to its end here: run it, or give all of --finetuning, --text2video-zero, --animatediff, --score"
        )
    return measured_seconds(units, STORE)


def cost_table(seconds: Seconds) -> str:
    """A row a number of devices."""
    costs = [cost_of(FULL, seconds, devices, CHUNK) for devices in DEVICES]
    return as_table(["devices", "hours", "device hours"], [[str(c.devices), f"{c.hours:,.1f}", f"{c.device_hours:,.0f}"] for c in costs])


if __name__ == "__main__":
    app()
