"""Worker processes: what a run that is told to end leaves behind."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from flows.workers import compute, started, stop
from tests.helpers.clusters import wait_until
from vd_core.errors import InputError


def work(mark: str) -> None:
    """Leave a mark, and take longer than any test."""
    Path(mark).write_text(str(os.getpid()))
    time.sleep(600)


def is_gone(process: int) -> bool:
    """Ended, and taken off the list by who started it."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_stop_ends_what_is_computed_and_what_waits(tmp_path: Path) -> None:
    with started(1, pin=False) as crew, ThreadPoolExecutor(3) as threads:
        futures = [threads.submit(compute, crew, False, work, str(tmp_path / str(i))) for i in range(3)]
        wait_until(lambda: any(tmp_path.iterdir()), 60, "a worker computes")
        stop(crew)
        errors = [future.exception(timeout=30) for future in futures]
    assert sorted(type(e).__name__ for e in errors) == ["BrokenProcessPool", "InputError", "InputError"]
    marks = list(tmp_path.iterdir())
    assert len(marks) == 1, "only the first was ever begun"
    wait_until(lambda: is_gone(int(marks[0].read_text())), 10, "the worker is gone")
    assert any(isinstance(e, InputError) and str(e) == "the run is ending" for e in errors)
