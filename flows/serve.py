"""`make serve`: a Prefect server on 127.0.0.1 if none answers, and the deployment videodreamer/full until Ctrl-C."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import typer
from prefect.settings import get_current_settings

from flows.artifacts import FILES_URL
from flows.files import served_files
from flows.processes import end_group
from flows.server import look, read_local_port, refuse_other, start_server, undisturbed
from flows.terminal import one_line_errors

API_URL = "http://127.0.0.1:4200/api"


def main() -> None:
    """Serve the deployment videodreamer/full until Ctrl-C.

    On the server of PREFECT_API_URL (or of Prefect's profile) if one answers there; otherwise a server on 127.0.0.1 is started, port 4200 if
    nothing else is said, and ends with this. The files of runs/ are served too, for the links in the UI.
    """
    api_url = (get_current_settings().api.url or API_URL).rstrip("/")
    with one_line_errors(), server_at(api_url), served_files(port_beside(api_url)) as files:
        print(f"Prefect UI: {api_url.removesuffix('/api')}\nfiles of runs/: {files[FILES_URL]}", flush=True)
        # A process of its own, so that the address counts from its first import.
        command = [sys.executable, "-m", "flows.full", "serve"]
        served = subprocess.Popen(command, env=os.environ | files | {"PREFECT_API_URL": api_url})
        try:
            raise typer.Exit(served.wait())
        except KeyboardInterrupt:
            served.wait()  # Ctrl-C reached it too
        finally:
            served.terminate()
            served.wait()


def port_beside(api_url: str) -> int:
    """The port after that of Prefect's server."""
    return (urlsplit(api_url).port or 4200) + 1


@contextmanager
def server_at(api_url: str) -> Iterator[None]:
    """The server that answers at `api_url`, or one that is started there and ends with the block; InputError if neither can be."""
    found = look(api_url)
    if found == "other":
        refuse_other(api_url)
    server = None if found == "prefect" else start_server(read_local_port(api_url))[0]
    if server is None:
        print("joined the Prefect server that runs already", flush=True)
    try:
        yield
    finally:
        if server:
            with undisturbed():
                end_group(server)


if __name__ == "__main__":
    typer.run(main)
