"""Where a study's units are computed: worker processes of this machine, Dask or Ray, by parameter."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Literal

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from flows.workers import compute, started, stop
from vd_core.errors import InputError

Runner = Literal["threads", "dask", "ray"]
IN_HAND = 64
"""Threads for each worker: a thread whose part waits for another one computes nothing, and must not keep the worker waiting."""
PATIENCE = "120s"
"""A Dask scheduler that is silent for so long is lost; it imports Prefect when it gets the first task."""
Call = Callable[..., Any]
"""(a module's name, a function's, plain arguments): call it where this runner computes."""


@dataclass(frozen=True)
class Place:
    """Prefect's task runner, how its tasks call what computes, the block in which they are submitted, and what ends them early."""

    task_runner: TaskRunner
    call: Call
    submitting: Callable[[], AbstractContextManager] = nullcontext
    stop: Callable[[], None] = lambda: None


@contextmanager
def chosen(runner: Runner, workers: int, address: str | None, pin: bool, gpus: float) -> Iterator[Place]:
    """Where units are computed.

    `threads`: `workers` threads, each with a process of its own, since two trainings cannot share one. `dask`, `ray`: `workers` of a cluster that
    ends with the block, or those of the cluster at `address`; a worker of Ray holds `gpus`. InputError if an extra is not installed.
    """
    if runner == "threads":
        if address:
            raise InputError(f"address {address} is a cluster's: choose runner dask or ray, or leave it out")
        if pin and not hasattr(os, "sched_setaffinity"):
            raise InputError("pin keeps a worker on a core of its own, which this system cannot; leave it out")
        with started(workers, pin) as crew:
            runner_of_threads = ThreadPoolTaskRunner(max_workers=IN_HAND * workers)
            yield Place(runner_of_threads, partial(compute, crew, pin, call_here), stop=partial(stop, crew))
    else:
        yield dask_place(workers, address) if runner == "dask" else ray_place(workers, address, gpus)


def call_here(module: str, function: str, *arguments: Any) -> Any:
    """Call a function in this process, its module imported only now: a scheduler that passes the call on stood still while it imported torch."""
    return getattr(import_module(module), function)(*arguments)


def dask_place(workers: int, address: str | None) -> Place:
    """Dask: one thread a worker."""
    own = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": None}
    make = require_extra("prefect_dask", "dask").DaskTaskRunner
    import_module("dask").config.set({"distributed.comm.timeouts.tcp": PATIENCE, "distributed.comm.timeouts.connect": PATIENCE})
    return Place(make(address=address) if address else make(cluster_kwargs=own), call_here)


def ray_place(workers: int, address: str | None, gpus: float) -> Place:
    """Ray: one core a worker, and GPUs if it is given any: Ray hides them from all others."""
    make, options = require_extra("prefect_ray", "ray").RayTaskRunner, require_extra("prefect_ray.context", "ray").remote_options
    own = {"num_cpus": workers, "include_dashboard": False}
    submitting = partial(options, num_gpus=gpus) if gpus else nullcontext
    return Place(make(address=address) if address else make(init_kwargs=own), call_here, submitting)


def require_extra(module: str, extra: str) -> Any:
    """A module of an extra; InputError if it is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError:
        raise InputError(f"runner {extra} is not installed: pip install 'prefect-{extra}', or choose runner threads") from None
