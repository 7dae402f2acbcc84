"""Parts of units as Prefect tasks. Everything here is light to import: a Dask scheduler unpickles tasks and their flow, and must not import torch."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from prefect import Task, flow, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture

from flows.runners import Place


class Part(NamedTuple):
    """One part of a unit: `what` is done to the unit in `text` form, with the finetuning of that `key`."""

    name: str
    what: str
    text: str
    key: str


def run_round(parts: Sequence[Part], store: str, folder: str, place: Place) -> list[str]:
    """Every part once, each after those that it needs; what went wrong, a line each."""
    call, submitting, stop = place.call, place.submitting, place.stop  # the place itself holds processes and cannot be pickled

    @task(task_run_name="{name}", cache_policy=NO_CACHE, persist_result=False)
    def compute(name: str, what: str, text: str, after: Any) -> None:
        call("tasks.studies.running", "work", what, text, store, folder)

    @flow(name="videodreamer-bench-units", task_runner=place.task_runner)
    def compute_all() -> list[str]:
        try:
            with submitting():
                futures = submit_all(parts, compute)
            return [error for future in futures if (error := wait_for(future))]
        except BaseException:  # Ctrl-C, a TERM: the task runner waits for all that it has in hand
            stop()
            raise

    try:
        return compute_all()
    except OSError as error:
        return [f"the cluster cannot be reached ({' '.join(str(error).split())}); is it running, and is the address right?"]


def submit_all(parts: Sequence[Part], compute: Task) -> list[PrefectFuture]:
    """Submit the parts: clips get the future of their finetuning as an argument, figures that of their clips, so that they start afterwards."""
    futures: list[PrefectFuture] = []
    finetunings: dict[str, PrefectFuture] = {}
    clips: dict[str, PrefectFuture] = {}
    for part in parts:
        after = {"render": finetunings.get(part.key), "score": clips.get(part.text)}.get(part.what)
        future = compute.submit(part.name, part.what, part.text, after)
        futures.append(future)
        if part.what == "finetune":
            finetunings[part.key] = future
        elif part.what == "render":
            clips[part.text] = future
    return futures


def wait_for(future: PrefectFuture) -> str | None:
    """Wait for a part; what went wrong, in one line."""
    try:
        found = future.result(raise_on_failure=False)
    except Exception as error:  # a cluster that is gone
        found = error
    return f"{type(found).__name__}: {' '.join(str(found).split())}" if isinstance(found, BaseException) else None
