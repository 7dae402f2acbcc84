"""Where a study's units are computed: worker processes of this machine, Dask or Ray, by parameter."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any, Literal

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.workers import compute, started
from vd_core.errors import InputError

Runner = Literal["threads", "dask", "ray"]
Call = Callable[..., Any]
"""(function, its arguments): call it where this runner computes."""


@contextmanager
def chosen(runner: Runner, workers: int, address: str | None, pin: bool) -> Iterator[tuple[TaskRunner, Call]]:
    """Prefect's task runner, and how its tasks call what computes.

    `threads`: `workers` threads, each with a process of its own, since two trainings cannot share one. `dask`, `ray`: `workers` of a cluster that
    ends with the block, or those of the cluster at `address`. InputError if an extra is not installed, or the cluster does not answer.
    """
    if runner == "threads":
        if address:
            raise InputError(f"address {address} is a cluster's: choose runner dask or ray, or leave it out")
        with started(workers, pin) as idle:
            yield ThreadPoolTaskRunner(max_workers=workers), partial(compute, idle, pin)
    else:
        yield {"dask": dask_runner, "ray": ray_runner}[runner](workers, address), call_here


def call_here(function: Callable[..., Any], *arguments: Any) -> Any:
    """In the cluster's worker itself."""
    return function(*arguments)


def dask_runner(workers: int, address: str | None) -> TaskRunner:
    """Dask's runner: one thread a worker."""
    runner = require_extra("prefect_dask", "dask").DaskTaskRunner
    if address:
        return runner(address=address)
    return runner(cluster_kwargs={"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None})


def ray_runner(workers: int, address: str | None) -> TaskRunner:
    """Ray's runner: one core a worker."""
    runner = require_extra("prefect_ray", "ray").RayTaskRunner
    if address:
        return runner(address=address)
    return runner(init_kwargs={"num_cpus": workers, "include_dashboard": False})


def require_extra(module: str, extra: str) -> Any:
    """A module of an extra; InputError if it is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise InputError(f"runner {extra} is not installed: pip install 'prefect-{extra}', or choose runner threads") from None
