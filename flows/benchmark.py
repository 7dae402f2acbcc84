"""The flow "videodreamer-bench": a study of MultiStudioBench, its units of work mapped over a task runner. `python -m flows.benchmark run`."""

import json
import os
import time
from pathlib import Path
from typing import Annotated, Any, Literal

import prefect
import typer
from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.settings import get_current_settings
from pydantic import Field

from flows.deployment import name_deployment, tag_of
from flows.quiet import drop_tracebacks
from flows.reproduce import StageError
from flows.rounds import Part, run_round
from flows.runners import Place, Runner, chosen
from flows.server import connected, require_server
from flows.terminal import one_line_errors
from tasks.studies.figures import collect
from tasks.studies.keeping import keep
from tasks.studies.plan import EditionName, ProfileName, Rates, Study, load_plan, plan_study, plan_tuning, read_tuning
from tasks.studies.report import describe_run, write_report
from tasks.studies.running import as_text, work_left
from tasks.studies.store import STORE
from tasks.studies.tuning import Tried, read_tried, widen_all, write_steps, write_tuning
from tasks.studies.units import Clips, list_units
from vd_core.errors import InputError
from vd_core.files import write_json

ROOT = Path(__file__).resolve().parent.parent


@flow(name="videodreamer-bench", flow_run_name="{edition}-{profile}", retries=0)
def benchmark(
    edition: EditionName = "toybox",
    profile: ProfileName = "quick",
    runner: Runner = "threads",
    workers: Annotated[int, Field(ge=1)] = 2,
    address: str | None = None,
    store: str = str(STORE),
    pin: bool = False,
    gpus: Annotated[float, Field(ge=0)] = 0,
) -> dict:
    """Compute what a study has not computed yet; the paths of its tables and its page.

    Args:
        edition: toybox: drawn toys on the embedded base; real: photographs on Stable Diffusion.
        profile: quick, full, or sample: a part of benchmarks/studies.yaml.
        runner: threads: worker processes of this machine; dask or ray: a cluster.
        workers: How many compute at once, one thread each. A cluster at an address has its own.
        address: An existing cluster's, as tcp://host:8786 (Dask) or ray://host:10001 (Ray).
        store: The folder of finished results; all workers must see it under this path.
        pin: Keep each worker of this machine on a core of its own.
        gpus: How many GPUs, or which share of one, a worker of Ray holds.
    """
    os.chdir(ROOT)
    drop_tracebacks()
    study = plan_study(edition, profile)
    units, kept, begun = list_units(study), Path(store), time.monotonic()
    with chosen(runner, workers, address, pin, gpus) as place:
        finish(study, units, kept, place)
    return conclude(study, units, kept, {"runner": runner, "workers": workers, "seconds": round(time.monotonic() - begun, 1)})


def count_left(units: list[Clips], store: Path) -> int:
    """How many clips have no figures yet."""
    return sum(len(u.videos) for u in units if work_left(u, store))


@flow(name="videodreamer-tuning", retries=0)
def choose_rates(workers: Annotated[int, Field(ge=1)] = 2, store: str = str(STORE)) -> dict[str, float]:
    """Try every method's learning rates, and more until the best lies inside; the chosen ones.

    Args:
        workers: How many compute at once, one thread each.
        store: The folder of finished results.
    """
    os.chdir(ROOT)
    drop_tracebacks()
    rates: Rates = {}
    wider, tried = read_tuning(load_plan()).learning_rates, {}
    with chosen("threads", workers, None, False, 0) as place:
        while wider != rates:
            rates, tried = wider, try_all(plan_tuning("learning_rate", wider), Path(store), place)
            wider = widen_all(rates, tried)
    return write_tuning(rates, tried)


@flow(name="videodreamer-tuning-steps", retries=0)
def choose_steps(workers: Annotated[int, Field(ge=1)] = 2, store: str = str(STORE)) -> dict[str, float]:
    """Try the methods with fewer and more optimizer steps at the plan's learning rates; the best of each.

    Args:
        workers: How many compute at once, one thread each.
        store: The folder of finished results.
    """
    os.chdir(ROOT)
    drop_tracebacks()
    steps = read_tuning(load_plan()).steps
    with chosen("threads", workers, None, False, 0) as place:
        return write_steps(steps, try_all(plan_tuning("steps", steps), Path(store), place))


def try_all(study: Study, store: Path, place: Place) -> Tried:
    """What a tuning's study finds, computed where it has not been."""
    units = list_units(study)
    finish(study, units, store, place)
    collect_all(study, units, store)
    return read_tried(study)


def finish(study: Study, units: list[Clips], store: Path, place: Place) -> None:
    """Run rounds until all is done: a worker, or a cluster, that was lost costs what it had in hand. StageError if a round achieves nothing."""
    get_run_logger().info(f"{study.name}: {count_left(units, store)} of {sum(len(u.videos) for u in units)} clips are to be done")
    before, errors = None, []
    while parts := list_parts(units, store):
        if len(parts) == before:
            raise StageError(errors[0] if errors else "nothing failed, and yet clips are missing")
        before, errors = len(parts), run_round(parts, str(store), str(ROOT), place)
        for error in errors:
            get_run_logger().warning(error)


def list_parts(units: list[Clips], store: Path) -> list[Part]:
    """What is left of every unit, in the units' order; a finetuning that several units need stands once."""
    parts: dict[tuple[str, str], Part] = {}
    for unit in units:
        text = as_text(unit)
        for what in work_left(unit, store):
            label, place = (unit.finetuning.label, unit.finetuning.key) if what == "finetune" else (unit.label, text)
            parts.setdefault((what, place), Part(f"{what} {label}", what, text, unit.finetuning.key))
    return list(parts.values())


def conclude(study: Study, units: list[Clips], store: Path, about: dict[str, Any]) -> dict:
    """Collect every cell and write the tables and the page."""
    collect_all(study, units, store)
    keep(study.name, units, store)
    written = write_report(study, folder=store / "reports")
    create_markdown_artifact(Path(written["tables"]).read_text(), key=f"bench-{study.name}", description=f"tables of {study.name}")
    return {**about, **describe_run(units, store), **written}


def collect_all(study: Study, units: list[Clips], store: Path) -> None:
    """Put every cell's figures where reports read them."""
    cells: dict[tuple[str, str], list[Clips]] = {}
    for unit in units:
        cells.setdefault((unit.variant, unit.combination), []).append(unit)
    for own in cells.values():
        collect(study.name, own, store)


cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@cli.command()
def serve() -> None:
    """Serve the deployments videodreamer-bench/quick and /full from this process until it is stopped."""
    with one_line_errors():
        require_server(get_current_settings().api.url or "")
        deployments = [
            benchmark.to_deployment(
                name_deployment(benchmark.name, profile, ROOT),
                description=f"MultiStudioBench, profile {profile}: every method, both generators, tables and a page.",
                parameters={"profile": profile},
                tags=[tag_of(ROOT)],
            )
            for profile in ("quick", "full")
        ]
        prefect.serve(*deployments, print_starting_message=False)


@cli.command()
def run(
    edition: Annotated[EditionName, typer.Option(help="toybox: drawn toys; real: photographs")] = "toybox",
    profile: Annotated[ProfileName, typer.Option(help="a profile of benchmarks/studies.yaml")] = "quick",
    runner: Annotated[Runner, typer.Option(help="threads: worker processes of this machine; dask, ray: a cluster")] = "threads",
    workers: Annotated[int, typer.Option(min=1, help="how many compute at once, one thread each")] = 2,
    address: Annotated[str | None, typer.Option(help="an existing cluster's, as tcp://host:8786 or ray://host:10001")] = None,
    store: Annotated[str, typer.Option(help="the folder of finished results")] = str(STORE),
    pin: Annotated[bool, typer.Option(help="keep each worker on a core of its own")] = False,
    gpus: Annotated[float, typer.Option(min=0, help="GPUs, or a share of one, that a worker of Ray holds")] = 0,
    summary: Annotated[Path | None, typer.Option(help="a file for the seconds and the paths that are printed too")] = None,
) -> None:
    """Run a study here and now; what is finished stands, and the same command goes on."""
    with one_line_errors():
        if not Path(store).is_absolute() and address:
            raise InputError(f"--store {store}: give an absolute path that the cluster's workers see too")
        with connected():
            found = benchmark(edition, profile, runner, workers, address, store, pin, gpus)
        if summary:
            write_json(summary, found)
        print(json.dumps(found, indent=1))


@cli.command()
def tune(
    what: Annotated[Literal["rates", "steps"], typer.Argument(help="rates, or at the plan's rates: numbers of optimizer steps")] = "rates",
    workers: Annotated[int, typer.Option(min=1, help="how many compute at once, one thread each")] = 2,
    store: Annotated[str, typer.Option(help="the folder of finished results")] = str(STORE),
) -> None:
    """Choose the methods' learning rates or steps on toys that stand in no study: metrics/evidence_tuning.json, docs/evidence.md."""
    with one_line_errors(), connected():
        print(json.dumps((choose_rates if what == "rates" else choose_steps)(workers, store), indent=1))


if __name__ == "__main__":
    cli()
