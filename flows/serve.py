"""`make serve`: a Prefect server on 127.0.0.1 if none answers, and the deployment videodreamer/full until Ctrl-C."""

import os
import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

from prefect.settings import get_current_settings

API_URL = "http://127.0.0.1:4200/api"
START_SECONDS = 90


def answers(api_url: str) -> bool:
    """Whether a Prefect server answers at `api_url`."""
    try:
        with urlopen(f"{api_url}/health", timeout=3) as reply:
            return reply.status == 200
    except (URLError, OSError):
        return False


def start_server(api_url: str) -> subprocess.Popen:
    """Start Prefect's own server on 127.0.0.1 and wait until it answers; RuntimeError if it does not in START_SECONDS."""
    host, port = api_url.removeprefix("http://").removesuffix("/api").split(":")
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", host, "--port", port]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + START_SECONDS
    while not answers(api_url):
        if server.poll() is not None or time.monotonic() > deadline:
            server.terminate()
            raise RuntimeError(f"the Prefect server did not start at {api_url}; try 'prefect server start' to see why")
        time.sleep(0.5)
    return server


def main() -> None:
    """Serve until interrupted; a server that this started is stopped with it."""
    api_url = get_current_settings().api.url or API_URL
    os.environ["PREFECT_API_URL"] = api_url
    server = None if answers(api_url) else start_server(api_url)
    print(f"Prefect UI: {api_url.removesuffix('/api')}", flush=True)
    try:
        # A process of its own, so that the settings above count from its first import.
        subprocess.run([sys.executable, "-m", "flows.full", "serve"], check=False)
    except KeyboardInterrupt:
        pass
    finally:
        if server:
            server.terminate()
            server.wait(15)


if __name__ == "__main__":
    main()
