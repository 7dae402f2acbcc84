"""Processes that end with all that they started: each is the leader of a group of its own, which no Ctrl-C on the terminal reaches."""

import getpass
import os
import signal
import subprocess
import time
from contextlib import suppress
from typing import IO

END_SECONDS = 4.0


def start_group(command: list[str], environment: dict[str, str], output: IO[bytes] | int) -> subprocess.Popen:
    """Start a process in a session of its own, with its words and errors in `output`."""
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
    )


def end_group(process: subprocess.Popen) -> None:
    """End a process of `start_group` and its children: asked first, killed if any is left after END_SECONDS."""
    deadline = time.monotonic() + END_SECONDS
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            process.poll()
            os.killpg(process.pid, 0)
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def name_user() -> str | None:
    """The login's name; None in a container whose user number has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None
