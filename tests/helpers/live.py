"""A real Prefect server, a served deployment and a person's answers, for the tests that need all three."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx

from tests.helpers.project import environment


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@dataclass
class Live:
    """One server and one process that serves videodreamer/full from `project`; both can be killed and started again."""

    project: Path
    home: Path
    port: int = field(default_factory=free_port)
    processes: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        settings = {"PREFECT_HOME": str(self.home), "PREFECT_API_URL": f"{self.url}/api", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
        return environment(self.project) | settings | {"PREFECT_RUNNER_POLL_FREQUENCY": "2", "OMP_NUM_THREADS": "1"}

    def start(self, name: str, *arguments: str) -> None:
        """Start `python -m <arguments>` in a process group of its own, its words in a file."""
        log = (self.home / f"{name}.log").open("ab")
        command = [sys.executable, "-m", *arguments]
        self.processes[name] = subprocess.Popen(
            command, cwd=self.project, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )

    def start_server(self) -> None:
        self.start("server", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port))
        wait_for(lambda: self.answers(), 120, "the server answers")

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/api/health", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def start_serving(self) -> None:
        self.start("serve", "flows.full", "serve")
        wait_for(lambda: self.post("/deployments/filter", {}) != [], 120, "the deployment is served")

    def kill(self, name: str) -> None:
        """End a process and all that it started, at once."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    def post(self, path: str, body: dict) -> object:
        for _ in range(20):
            reply = httpx.post(f"{self.url}/api{path}", json=body, timeout=30)
            if reply.status_code != 503:  # the server's database is busy for a moment; Prefect's own client and UI ask again, too
                break
            time.sleep(0.5)
        return reply.raise_for_status().json()

    def get(self, path: str) -> dict:
        return httpx.get(f"{self.url}/api{path}", timeout=30).raise_for_status().json()

    def run_deployment(self, **parameters: object) -> UUID:
        """Start a run as `prefect deployment run videodreamer/full -p ...` does; the run's id."""
        command = [sys.executable, "-m", "prefect", "deployment", "run", "videodreamer/full"]
        for name, value in parameters.items():
            command += ["-p", f"{name}={value}"]
        subprocess.run(command, cwd=self.project, env=self.environment, check=True, capture_output=True)
        newest = self.post("/flow_runs/filter", {"sort": "START_TIME_DESC", "limit": 50})
        return UUID(max(newest, key=lambda run: run["created"])["id"])

    def state(self, run: UUID) -> str:
        return self.get(f"/flow_runs/{run}")["state"]["name"]

    def wait_for_state(self, run: UUID, *names: str, seconds: float = 300) -> None:
        """Wait until the run's state is one of `names`; AssertionError with the run's log if it ends in another."""

        wait_for(lambda: self.checked_state(run, *names) in names, seconds, f"{run} is {' or '.join(names)}")

    def checked_state(self, run: UUID, *wanted: str) -> str:
        """The run's state; AssertionError if that is an end which is not wanted."""
        now = self.state(run)
        if now in ("Failed", "Crashed", "Cancelled", "Completed") and now not in wanted:
            raise AssertionError(f"the run is {now}\n" + "\n".join(self.logs(run)[-15:]))
        return now

    def wait_for_question(self, run: UUID, number: int, seconds: float = 300) -> None:
        """Wait until the run has asked `number` times and waits."""

        def asked() -> bool:
            keys = self.get(f"/flow_runs/{run}")["empirical_policy"]["pause_keys"] or []
            return len(keys) == number and self.checked_state(run) == "Suspended"

        wait_for(asked, seconds, f"question {number}")
        wait_for(lambda: self.has_form(run), 60, f"the form of question {number}")  # it is saved just after the state

    def has_form(self, run: UUID) -> bool:
        """Whether the form of a run that waits is there: its text is saved last."""
        text = self.get(f"/flow_runs/{run}")["state"]["state_details"]["run_input_keyset"]["description"]
        return httpx.get(f"{self.url}/api/flow_runs/{run}/input/{text}", timeout=30).is_success

    def resume(self, run: UUID, candidates: list[str], chosen_by: str = "Ann", sample_again: bool = False) -> dict:
        """Answer the form; the server's reply."""
        answer = {"candidates": candidates, "sample_again": sample_again, "chosen_by": chosen_by}
        return self.post(f"/flow_runs/{run}/resume", {"run_input": answer})

    def logs(self, run: UUID) -> list[str]:
        """What the run has said."""
        query = {"logs": {"flow_run_id": {"any_": [str(run)]}}, "sort": "TIMESTAMP_ASC", "limit": 200}
        return [line["message"] for line in self.post("/logs/filter", query)]

    def wait_for_words(self, run: UUID, words: str, seconds: float = 60) -> None:
        """Wait until the run has said `words`: what it logs reaches the server in parcels, often after the state that it explains."""
        wait_for(lambda: any(words in line for line in self.logs(run)), seconds, f"{run} says {words!r}")

    def stage_states(self, run: UUID) -> dict[str, str]:
        """The last state of every stage's task run."""
        query = {"flow_runs": {"id": {"any_": [str(run)]}}, "sort": "ID_DESC", "limit": 200}
        tasks = self.post("/task_runs/filter", query)
        return {t["name"]: t["state"]["name"] for t in sorted(tasks, key=lambda t: t["created"])}


def wait_for(condition, seconds: float, what: str) -> None:
    """Wait until `condition()`; AssertionError if it takes longer than `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.5)
