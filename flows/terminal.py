"""What a command says on a terminal when it ends badly: one line."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from flows.reproduce import StageError
from tasks.shared.exits import leave
from vd_core.errors import DISK_FULL, InputError, means_full_disk

INTERRUPTED = "interrupted: the same command goes on where this one stopped"


@contextmanager
def one_line_errors(debug: bool = False) -> Iterator[None]:
    """Exit code 1 and one line for what a person can mend; 130 after Ctrl-C, 143 after SIGTERM, with what was started ended."""
    signal.signal(signal.SIGTERM, exit_on_term)
    try:
        yield
    except (InputError, StageError) as error:
        if debug:
            raise
        leave(f"error: {error}", 1)
    except KeyboardInterrupt:
        leave(INTERRUPTED, 130)
    except OSError as error:
        if debug or not means_full_disk(str(error)):
            raise
        leave(f"error: {DISK_FULL}", 1)


def exit_on_term(number: int, frame: FrameType | None) -> None:
    """SIGTERM unwinds the process as Ctrl-C does, so that what it started ends too."""
    raise SystemExit(128 + number)
