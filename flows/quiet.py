"""Errors that a person is meant to read come without Prefect's tracebacks, unless they are asked for."""

import logging

from flows.reproduce import StageError
from vd_core.errors import InputError

LOGGERS = ("prefect.flow_runs", "prefect.task_runs")


def drop_traceback(record: logging.LogRecord) -> bool:
    """Keep the record, without the traceback if its error is one of ours."""
    if record.exc_info and isinstance(record.exc_info[1], InputError | StageError):
        record.exc_info = None
    return True


def drop_tracebacks() -> None:
    """Install `drop_traceback` where runs log; once, however often it is called."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(drop_traceback)
