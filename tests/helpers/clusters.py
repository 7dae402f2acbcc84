"""Real clusters of this machine in process groups of their own, to be killed and started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
        """Start a command as the leader of a group."""
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
        """End a group at once, as a power cut does."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
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
    own.start("scheduler", sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
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


def ray_workers(own: Groups) -> list[int]:
    """The processes of Ray's head that compute now."""
    group = own.running["head"].pid
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::") and b"IDLE" not in path.read_bytes() and os.getpgid(int(path.parent.name)) == group:
                found.append(int(path.parent.name))
        except (OSError, ProcessLookupError):
            continue
    return found


def wait_until(true: Callable[[], bool], seconds: float, what: str) -> None:
    """AssertionError if `what` does not happen in time."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.1)
