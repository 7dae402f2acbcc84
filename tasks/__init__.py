"""The stages and commands. Ctrl-C while one of them is still importing its libraries is one line, too."""

import os
import signal
import sys
from types import FrameType, TracebackType


def end_quietly(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What Python prints of an error that ends a process; of Ctrl-C no traceback."""
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; while the main module still imports, end here: libraries take an import that was cut short for other errors."""
    if is_importing(frame):
        print("interrupted", file=sys.stderr, flush=True)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    signal.default_int_handler(number, frame)


def is_importing(frame: FrameType | None) -> bool:
    """Whether the main module's own lines are at an import."""
    called = None
    while frame is not None:
        if frame.f_globals.get("__name__") == "__main__" and frame.f_code.co_name == "<module>":
            return called is not None and called.f_code.co_filename.startswith("<frozen importlib")
        called, frame = frame, frame.f_back
    return False


sys.excepthook = end_quietly
if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # python -m tasks.<command>, or flows
    signal.signal(signal.SIGINT, interrupt)
