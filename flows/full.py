"""The flow "videodreamer": pictures in, customized videos out. `python -m flows.full` serves its deployment "full"."""

import json
import os
import sys
from pathlib import Path
from threading import Thread
from typing import Annotated

import typer
from prefect import flow, get_client, get_run_logger
from pydantic import Field
from tqdm import tqdm

from flows.approval import Approval, approve
from flows.quiet import drop_tracebacks
from flows.reproduce import StageError, reproduce, restore
from tasks.checks.everything import refuse
from tasks.shared.params import load_params, raise_sampling_round
from tasks.shared.paths import metrics_path, run_folder
from vd_core.errors import InputError

ROOT = Path(__file__).resolve().parent.parent


@flow(name="videodreamer", log_prints=True, retries=0)
def full(
    combination: Annotated[str, Field(description="What to customise: a name under combinations in params.yaml.")] = "toys",
    approval: Annotated[
        Approval, Field(description="ask: a person chooses pictures; auto: the best-ranked are taken; skip: no re-finetuning.")
    ] = "ask",
    wait_days: Annotated[float, Field(gt=0, description="approval=ask: how long the run waits for the choice.")] = 7,
    debug: Annotated[bool, Field(description="Log tracebacks of errors in what you gave.")] = False,
) -> dict:
    """Customize a base for one combination and render its videos. Returns the metrics."""
    os.chdir(ROOT)
    if not debug:
        drop_tracebacks()
    load_params().combination(combination)
    refuse(combination)
    restore(combination)
    reproduce("settings", combination)
    reproduce("mix", combination)
    reproduce("finetune", combination)
    reproduce("sample", combination)
    while not approve(combination, approval, wait_days):
        raise_sampling_round(combination)
        reproduce("settings", combination)
        reproduce("sample", combination)
    reproduce("refinetune", combination)
    reproduce("motion", combination)
    reproduce("swap", combination)
    reproduce("render", combination)
    reproduce("encode", combination)
    reproduce("evaluate", combination)
    return report(combination)


def report(combination: str) -> dict:
    """Say where everything is; the metrics."""
    metrics = metrics_path(combination)
    logger = get_run_logger()
    logger.info(f"videos (mp4 and gif): {run_folder(combination, 'encode')}/")
    logger.info(f"contact sheet: {run_folder(combination, 'render') / 'sheet.jpg'}")
    logger.info(f"metrics: {metrics}")
    return json.loads(metrics.read_text())


def start_prefect(usual_seconds: float = 20.0) -> None:
    """Let Prefect start a server of its own for this run (if none is set), with a bar that shows the wait."""
    thread = Thread(target=lambda: get_client(sync_client=True).__enter__().hello(), daemon=True)
    thread.start()
    with tqdm(total=usual_seconds, desc="starting Prefect", bar_format="{desc}: {bar} {elapsed}") as bar:
        while thread.is_alive():
            thread.join(0.5)
            bar.update(min(0.5, usual_seconds - bar.n))


cli = typer.Typer(add_completion=False)


@cli.command()
def serve() -> None:
    """Serve the deployment videodreamer/full from this process until it is stopped."""
    full.serve(name="full", description=full.description, parameters={"combination": "toys", "approval": "ask"})


@cli.command()
def run(combination: str = "toys", approval: Approval = "auto", debug: bool = False) -> None:
    """Run the flow here and now, without a server that was started before."""
    try:
        load_params().combination(combination)
        start_prefect()
        metrics = full(combination, approval, debug=debug)
    except (InputError, StageError) as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    print(json.dumps(metrics, indent=1))


if __name__ == "__main__":
    cli()
