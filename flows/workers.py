"""Processes that compute for the threads of a flow, one a thread; a process that was killed is replaced."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from queue import SimpleQueue
from threading import Event
from typing import Any

from tasks.shared.cores import usable_cores
from vd_core.errors import InputError


@dataclass(frozen=True)
class Worker:
    """The process that has core and GPU `number`, if it is bound to them."""

    number: int
    pool: ProcessPoolExecutor


@dataclass(frozen=True)
class Crew:
    """The workers that are `idle`; once they are `stopped`, none takes up anything more."""

    idle: SimpleQueue[Worker]
    stopped: Event


@contextmanager
def started(count: int, pin: bool) -> Iterator[Crew]:
    """So many workers, which end with the block. With `pin` each stays on a core of its own."""
    crew = Crew(SimpleQueue(), Event())
    for number in range(count):
        crew.idle.put(start(number, pin))
    try:
        yield crew
    finally:
        for _ in range(count):
            crew.idle.get().pool.shutdown(cancel_futures=True)


def start(number: int, pin: bool) -> Worker:
    """A worker, whose process starts with its first work."""
    return Worker(number, ProcessPoolExecutor(1, get_context("spawn"), take_place, (number, pin)))


def take_place(number: int, pin: bool) -> None:
    """In a new process: one GPU of those that are visible, and one core if it is to be pinned."""
    gpus = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    if gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus[number % len(gpus)]
    if pin:
        cores = usable_cores()
        os.sched_setaffinity(0, {cores[number % len(cores)]})


def stop(crew: Crew) -> None:
    """End what the workers compute, and what waits for them: a run that is told to end would finish all that it has in hand."""
    crew.stopped.set()
    for process in active_children():
        process.kill()


def compute(crew: Crew, pin: bool, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in an idle worker; the worker is replaced if its process does not live any more, and the error goes on."""
    worker = crew.idle.get()
    try:
        if crew.stopped.is_set():
            raise InputError("the run is ending")
        return worker.pool.submit(function, *arguments).result()
    except BaseException as error:
        worker = replace_broken(worker, pin, error)
        raise
    finally:
        crew.idle.put(worker)


def replace_broken(worker: Worker, pin: bool, error: BaseException) -> Worker:
    """The same worker, or a new one in the place of one that was killed."""
    from concurrent.futures.process import BrokenProcessPool

    if not isinstance(error, BrokenProcessPool):
        return worker
    worker.pool.shutdown(wait=False)
    return start(worker.number, pin)
