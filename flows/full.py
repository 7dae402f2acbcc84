"""The flow "videodreamer": pictures in, customized videos out. `python -m flows.full` serves its deployment "full"."""

import json
import os
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Annotated
from urllib.parse import urlsplit

import prefect
import typer
from prefect import flow, get_run_logger
from prefect.settings import get_current_settings
from pydantic import Field

from flows.approval import Approval, approve
from flows.artifacts import publish_result
from flows.deployment import describe_start, keep_offering, name_deployment, offer_combinations, tag_of
from flows.orphans import end_orphans
from flows.quiet import drop_tracebacks, say_everything
from flows.reproduce import reproduce, require_git, restore
from flows.server import LOCAL, connected, require_server
from flows.terminal import one_line_errors
from flows.waiting import stop_waiting
from tasks.checks.everything import refuse
from tasks.shared.merging import load_params, merge
from tasks.shared.paths import metrics_path, page_path, picks_path, run_folder
from tasks.shared.sampling_round import raise_sampling_round

ROOT = Path(__file__).resolve().parent.parent


@flow(name="videodreamer", flow_run_name="{combination}", log_prints=True, retries=0)
def full(
    combination: str = "toys",
    approval: Approval = "ask",
    wait_days: Annotated[float, Field(gt=0)] = 7,
    debug: bool = False,
) -> dict:
    """Customize a base for one combination and render its videos. Returns the metrics.

    Args:
        combination: What to customize: a name under combinations in params.yaml.
        approval: ask: a person chooses pictures; auto: the best-ranked are taken; skip: no re-finetuning.
        wait_days: How many days the run waits for the choice if approval is ask.
        debug: Log tracebacks of all errors, and what DVC says of its own housekeeping.
    """
    os.chdir(ROOT)
    if debug:
        say_everything()
    else:
        drop_tracebacks()
    stop_waiting(combination)
    owner = load_params().combination(combination).finetune_from
    finetune(owner, approval, wait_days)
    if owner != combination:
        take(combination)
    reproduce("motion", combination)
    reproduce("swap", combination)
    reproduce("render", combination)
    reproduce("encode", combination)
    reproduce("evaluate", combination)
    reproduce("export", combination)
    return report(combination)


def finetune(combination: str, approval: Approval, wait_days: float) -> None:
    """All that it takes to have the finetuned subjects of a combination."""
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


def take(combination: str) -> None:
    """Prepare a combination that takes another's finetuned subjects; three of these stages have nothing to do, and DVC is to know it."""
    refuse(combination)
    restore(combination)
    for stage in ("settings", "mix", "finetune", "sample", "refinetune"):
        reproduce(stage, combination)


def report(combination: str) -> dict:
    """Say and show where everything is; the metrics."""
    metrics = metrics_path(combination)
    logger = get_run_logger()
    publish_result(combination, merge(load_params(), combination).encode.fps)
    logger.info(f"videos (mp4 and gif): {run_folder(combination, 'encode')}/")
    logger.info(f"contact sheet: {run_folder(combination, 'render') / 'sheet.jpg'}")
    logger.info(f"metrics: {metrics}")
    logger.info(f"LoRA for other programs: {run_folder(combination, 'export')}/")
    logger.info(f"everything on one page: {page_path(combination)}")
    logger.info(
        f"for git: params.yaml, {picks_path(combination)}, {metrics}, dvc.lock; 'dvc push' passes on what is large (docs/sharing.md)"
    )
    return json.loads(metrics.read_text())


def read_combinations() -> list[str]:
    """The names of the combinations, as params.yaml has them now."""
    return list(load_params().combinations)


cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@cli.command()
def serve() -> None:
    """Serve the deployment videodreamer/full from this process until it is stopped."""
    with one_line_errors():
        api_url = get_current_settings().api.url or ""
        require_git(ROOT)
        require_server(api_url)
        combinations = read_combinations()
        name = name_deployment(full.name, "full", ROOT)
        print(describe_start(api_url, f"{full.name}/{name}", combinations[0]), flush=True)
        deployment = full.to_deployment(
            name,
            description="Customize a base for one combination of subjects and render its videos.",
            tags=[tag_of(ROOT)],
            enforce_parameter_schema=False,  # a combination that is added while this serves can be run too; the flow checks all again
        )
        if urlsplit(api_url).hostname in LOCAL:
            end_orphans(f"{full.name}/{name}")
        offer_combinations(deployment, combinations)
        offering = partial(keep_offering, f"{full.name}/{name}", read_combinations, combinations)
        Thread(target=offering, name="offering", daemon=True).start()
        prefect.serve(deployment, print_starting_message=False)


@cli.command()
def run(
    combination: Annotated[str, typer.Option(help="a name under params.yaml: combinations")] = "toys",
    approval: Annotated[
        Approval, typer.Option(help="ask (in the UI of a served run), auto: the best-ranked, skip: no re-finetuning")
    ] = "auto",
    wait_days: Annotated[float, typer.Option(min=0, help="with ask: how many days to wait for the choice")] = 7,
    debug: Annotated[bool, typer.Option(help="show tracebacks, and DVC's housekeeping")] = False,
) -> None:
    """Run the flow here and now, on the server of PREFECT_API_URL, or else on one that ends with the run."""
    with one_line_errors(debug):
        load_params().combination(combination)
        require_git(ROOT)
        with connected():
            metrics = full(combination, approval, wait_days, debug)
        print(json.dumps(metrics, indent=1))
        print(f"everything on one page: {page_path(combination).resolve()}")


if __name__ == "__main__":
    cli()
