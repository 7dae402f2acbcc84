"""Real clusters of this machine in sessions of their own, to be killed and started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.helpers.live import free_port
from tests.helpers.project import environment


@dataclass
class Groups:
    """Processes by name, started in `project`; what they say goes into `logs`."""

    project: Path
    logs: Path
    extra: dict[str, str]
    running: dict[str, subprocess.Popen] = field(default_factory=dict)

    def start(self, name: str, *command: str) -> subprocess.Popen:
        """Start a command as the leader of a session."""
        with (self.logs / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                command,
                cwd=self.project,
                env=environment(self.project) | self.extra,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        return self.running[name]

    def kill(self, name: str) -> None:
        """End a session at once, as a power cut does."""
        process = self.running.pop(name)
        for pid in session_of(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    def log(self, name: str) -> str:
        return (self.logs / f"{name}.log").read_text(errors="replace")


@contextmanager
def groups(project: Path, logs: Path, extra: dict[str, str]) -> Iterator[Groups]:
    """Groups that all end with the block."""
    logs.mkdir(exist_ok=True)
    own = Groups(project, logs, extra)
    try:
        yield own
    finally:
        for name in list(own.running):
            own.kill(name)


def start_dask(own: Groups, port: int, workers: int) -> str:
    """A Dask scheduler and some workers of one thread; its address."""
    address = f"tcp://127.0.0.1:{port}"
    own.start(
        "scheduler",
        sys.executable,
        "-m",
        "dask",
        "scheduler",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--no-dashboard",
        "--preload",
        "prefect_dask",
    )
    for i in range(workers):
        own.start(f"worker-{i}", sys.executable, "-m", "dask", "worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny")
    return address


def start_ray(own: Groups, port: int, workers: int) -> str:
    """A Ray head with some cores; its address."""
    command = ["start", "--head", "--block", "--node-ip-address", "127.0.0.1", "--port", str(port), "--num-cpus", str(workers)]
    ports = ["--include-dashboard", "false", "--disable-usage-stats", "--ray-client-server-port", str(free_port())]
    own.start("head", sys.executable, "-m", "ray.scripts.scripts", *command, *ports)
    wait_until(lambda: "Ray runtime started" in own.log("head"), 300, "Ray starts")
    return f"127.0.0.1:{port}"


def session_of(leader: int) -> dict[int, bytes]:
    """The processes of a session and their command lines; Ray puts its workers into groups of their own."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if os.getsid(int(path.parent.name)) == leader:
                found[int(path.parent.name)] = path.read_bytes()
    return found


def ray_workers(own: Groups) -> list[int]:
    """The processes of Ray's head that compute a task now; its agents are called ray:: too, and the head ends with them."""
    commands = session_of(own.running["head"].pid)
    return [pid for pid, command in commands.items() if command.startswith(b"ray::compute")]


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """AssertionError if `what` does not happen in time."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)
