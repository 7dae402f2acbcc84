"""Errors that a person is meant to read come without Prefect's tracebacks, unless they are asked for."""

import logging

from prefect.exceptions import TerminationSignal

from flows.reproduce import StageError
from vd_core.errors import InputError, means_full_disk

LOGGERS = ("prefect.flow_runs", "prefect.task_runs")


def drop_traceback(record: logging.LogRecord) -> bool:
    """Whether to keep the record; without the traceback if its error is one of ours, a full disk, or the wish of a person to end the run."""
    if record.exc_info and record.exc_info[1] and is_expected(record.exc_info[1]):
        record.exc_info = None
    return not record.getMessage().startswith("Crash detected! Execution was aborted")  # the run's last line says the same


def is_expected(error: BaseException) -> bool:
    """Whether a person can read the error without its traceback."""
    return isinstance(error, InputError | StageError | KeyboardInterrupt | TerminationSignal) or means_full_disk(str(error))


def drop_tracebacks() -> None:
    """Install `drop_traceback` where runs log; once, however often it is called."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(drop_traceback)


def say_everything() -> None:
    """Let runs log what is of no use to most: tracebacks, and DVC's housekeeping."""
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.DEBUG)
