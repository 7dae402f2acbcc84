"""The Prefect server: is there one, and one of our own for as long as it is needed."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Literal
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

from prefect.events.worker import EventsWorker
from prefect.logging.handlers import APILogWorker
from prefect.settings import PREFECT_API_URL, get_current_settings, temporary_settings

from flows.processes import end_group, start_group
from tasks.shared.paths import CACHE
from vd_core.errors import InputError

LOG = CACHE / "prefect-server.log"
START_SECONDS = 300.0
ATTEMPTS = 3
SAY_SECONDS = 20.0
LOCAL = ("127.0.0.1", "localhost")


def look(api_url: str) -> Literal["prefect", "nothing", "other"]:
    """What answers at `api_url`: a Prefect server (also one that wants a password), nothing, or another program."""
    try:
        with urlopen(f"{api_url.rstrip('/')}/health", timeout=5) as reply:
            return "prefect" if reply.read(100).strip() == b"true" else "other"
    except HTTPError as error:
        return "prefect" if error.code in (401, 403) else "other"
    except HTTPException:
        return "other"
    except (OSError, ValueError):
        return "nothing"


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def read_local_port(api_url: str) -> int:
    """The port of http://127.0.0.1:<port>/api; InputError if a server cannot be started at `api_url`."""
    with suppress(ValueError):
        parts = urlsplit(api_url)
        if parts.scheme == "http" and parts.hostname in LOCAL and parts.port and parts.path.rstrip("/") == "/api":
            return parts.port
    raise InputError(
        f"no Prefect server answers at {api_url}, and none can be started there: start it, "
        "or set PREFECT_API_URL=http://127.0.0.1:4200/api (it is in the environment or in Prefect's profile)"
    )


def refuse_other(api_url: str) -> None:
    """InputError that another program has the port of `api_url`."""
    port = urlsplit(api_url).port
    raise InputError(
        f"another program than Prefect answers at {api_url}: end it, or take another port: PREFECT_API_URL=http://127.0.0.1:{(port or 4200) + 1}/api"
    )


def start_server(port: int) -> tuple[subprocess.Popen, str]:
    """Start Prefect's own server on 127.0.0.1 and wait until it answers; it and its URL. InputError if it ends or is slower than START_SECONDS."""
    api_url = f"http://127.0.0.1:{port}/api"
    LOG.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with LOG.open("wb") as log:
        server = start_group(command, os.environ | {"PREFECT_API_URL": api_url}, log)
    try:
        wait_for_server(server, api_url)
    except BaseException:
        end_group(server)
        raise
    return server, api_url


def wait_for_server(server: subprocess.Popen, api_url: str) -> None:
    """Wait until the server answers, and say so if that takes long."""
    began = said = time.monotonic()
    while look(api_url) != "prefect":
        now = time.monotonic()
        if server.poll() is not None or now - began > START_SECONDS:
            raise InputError(f"Prefect's server did not start ({last_line(LOG)}); its log is {LOG}")
        if now - said > SAY_SECONDS:
            said = now
            print(f"still starting Prefect's server ({now - began:.0f} s; the first start makes its database)", file=sys.stderr, flush=True)
        time.sleep(0.3)


def last_line(path: Path) -> str:
    """The last line of a log that says anything."""
    lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"


def try_to_start() -> tuple[subprocess.Popen, str]:
    """Start a server on a free port; once more if it ended before it answered (two that make one database at once, a port just taken)."""
    for attempt in range(1, ATTEMPTS):
        try:
            return start_server(free_port())
        except InputError as error:
            print(f"{error}; trying again ({attempt + 1} of {ATTEMPTS})", file=sys.stderr, flush=True)
    return start_server(free_port())


@contextmanager
def connected() -> Iterator[str]:
    """The URL of the server that Prefect's settings name, or of one of our own that ends with the block.

    InputError if the settings name one that does not answer.
    """
    named = get_current_settings().api.url
    if named:
        require_server(named)
        yield named
        return
    print("starting Prefect's server for this run", file=sys.stderr, flush=True)
    server, api_url = try_to_start()
    try:
        with temporary_settings({PREFECT_API_URL: api_url}):
            yield api_url
    finally:
        with undisturbed():
            send_what_is_left()
            end_group(server)


def send_what_is_left() -> None:
    """Send the logs and events that wait in this process, or else Prefect tries to for minutes after its server has ended."""
    APILogWorker.drain_all(timeout=3)
    EventsWorker.drain_all(timeout=3)


def require_server(api_url: str) -> None:
    """InputError if no Prefect server answers at `api_url`."""
    found = look(api_url)
    if found == "other":
        refuse_other(api_url)
    if found == "nothing":
        raise InputError(
            f"no Prefect server answers at {api_url} (PREFECT_API_URL, or Prefect's profile): start it with 'make serve', "
            "or unset PREFECT_API_URL for a run without one"
        )


@contextmanager
def undisturbed() -> Iterator[None]:
    """Another Ctrl-C does not interrupt the block, which is short."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
