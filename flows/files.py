"""The files of runs/, read only, on 127.0.0.1: what the artifacts in the Prefect UI link to. `make serve` starts it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from flows.artifacts import FILES_URL
from flows.processes import end_group, start_group
from flows.server import LOCAL, free_port, undisturbed

RUNS = Path("runs")


def build_app(folder: Path) -> Starlette:
    """An application that serves the files below `folder` to browsers on this machine: no listings, nothing that a link leads out to, no writing.

    Other names than 127.0.0.1 and localhost are refused, so that no page from elsewhere can read the files under a name of its own.
    """
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=list(LOCAL))
    return Starlette(routes=[Mount("/", StaticFiles(directory=folder, follow_symlink=False))], middleware=[hosts])


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of 127.0.0.1."""
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0


@contextmanager
def served_files(wanted: int) -> Iterator[dict[str, str]]:
    """The environment that says where runs/ is served, on the port `wanted` if it is free; the server ends with the block."""
    port = wanted if is_free(wanted) else free_port()
    RUNS.mkdir(exist_ok=True)
    server = start_group([sys.executable, "-m", "flows.files", str(port)], dict(os.environ), subprocess.DEVNULL)
    try:
        yield {FILES_URL: f"http://127.0.0.1:{port}"}
    finally:
        with undisturbed():
            end_group(server)


def main(port: int) -> None:
    """Serve runs/ until this is ended."""
    uvicorn.run(build_app(RUNS), host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    typer.run(main)
