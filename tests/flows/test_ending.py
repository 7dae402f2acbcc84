"""Flows that are ended from outside, on a terminal and on a server: within seconds, in one line, and nothing stays behind."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from flows.deployment import LOOK_SECONDS
from flows.orphans import RUN_ID, SAID, runs_here
from tasks.shared.yaml_files import read_yaml
from tests.helpers.live import Live, wait_for
from tests.helpers.played_stages import play_stages
from tests.helpers.project import build_project, environment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose mix stage says nothing for five minutes."""
    folder = build_project(tmp_path_factory.mktemp("project"))
    play_stages(folder, ["toys"])
    (folder / "slow-mix").write_text("300")
    return folder


def processes_of(project: Path) -> list[str]:
    """The command lines of the processes that work in the project's folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cwd").readlink() == project:
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return [line for line in found if line]


def trains(project: Path) -> bool:
    return any("play.py mix" in line for line in processes_of(project))


def start_on_terminal(project: Path, home: Path, *command: str) -> tuple[subprocess.Popen, Path]:
    """Start a command as a shell on a terminal does, in the foreground; what it says goes into a file."""
    said = home / "said.txt"
    settings = environment(project) | {"PREFECT_HOME": str(home), "OMP_NUM_THREADS": "1"}
    settings.pop("PREFECT_API_URL", None)
    with said.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=project,
            env=settings,
            stdout=file,
            stderr=file,
            stdin=pty.openpty()[1],
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's background jobs are deaf to it
        )
    return process, said


def interrupt(process: subprocess.Popen) -> None:
    """Ctrl-C: all of the terminal's foreground processes get the signal."""
    os.killpg(process.pid, signal.SIGINT)


@pytest.mark.parametrize(("end", "code"), [(interrupt, 130), (lambda p: p.send_signal(signal.SIGTERM), 143)], ids=["Ctrl-C", "SIGTERM"])
def test_a_flow_is_ended_while_it_trains(project: Path, tmp_path: Path, end: Callable[[subprocess.Popen], None], code: int) -> None:
    """Ctrl-C hung for minutes, since Prefect's server got it first; SIGTERM left that server behind."""
    process, said = start_on_terminal(project, tmp_path, "-m", "flows.full", "run")
    wait_for(lambda: trains(project) or process.poll() is not None, 240, "the stage runs")
    time.sleep(1)
    end(process)
    began = time.monotonic()
    assert process.wait(60) == code, said.read_text()
    assert time.monotonic() - began < 20  # 4 s on a quiet machine
    assert processes_of(project) == []
    assert "Traceback" not in said.read_text()
    assert code != 130 or said.read_text().splitlines()[-1] == "interrupted: the same command goes on where this one stopped"


def test_dvc_is_interrupted(project: Path, tmp_path: Path) -> None:
    process, said = start_on_terminal(project, tmp_path, "-m", "dvc", "repro", "--force", "--single-item", "settings@toys")
    wait_for(lambda: any("tasks.settings" in line for line in processes_of(project)), 60, "the stage runs")
    time.sleep(1)
    interrupt(process)
    assert process.wait(30) != 0
    assert "Traceback" not in said.read_text()


def test_a_failed_flow_leaves_no_server(project: Path, tmp_path: Path) -> None:
    before = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(before.replace("processes: 1", "processes: 0"))
    process, said = start_on_terminal(project, tmp_path, "-m", "flows.full", "run")
    assert process.wait(240) == 1
    (project / "params.yaml").write_text(before)
    assert "error: params.yaml: processes" in said.read_text().splitlines()[-1]
    assert processes_of(project) == []


@pytest.fixture
def live(project: Path, tmp_path: Path) -> Iterator[Live]:
    live = Live(project, tmp_path)
    live.start_server()
    live.start_serving()
    yield live
    live.close()


def test_a_cancelled_runs_training_ends(live: Live) -> None:
    """It lived on until it next printed something; this stage prints nothing."""
    flow_run = live.run_deployment(combination="toys", approval="auto")
    wait_for(lambda: trains(live.project), 240, "the stage runs")
    live.post(f"/flow_runs/{flow_run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})
    live.wait_for_state(flow_run, "Cancelled")
    wait_for(lambda: not trains(live.project), 10, "the training is gone")


def test_a_run_whose_server_was_killed_is_called_crashed_by_the_next(live: Live) -> None:
    """It read Running for ever. One that still runs goes on."""
    flow_run = live.run_deployment(combination="toys", approval="auto")
    wait_for(lambda: trains(live.project), 240, "the stage runs")
    live.kill("serve")
    live.start("next", "flows.full", "serve")
    wait_for(lambda: "Ctrl-C ends this" in (live.home / "next.log").read_text(), 120, "the deployment is served again")
    time.sleep(5)
    assert str(flow_run) in runs_here() and live.state(flow_run) == "Running"
    live.kill("next")
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get(RUN_ID) == str(flow_run):
            process.kill()
    wait_for(lambda: str(flow_run) not in runs_here(), 30, "the run's process is gone")
    live.start("last", "flows.full", "serve")
    wait_for(lambda: live.state(flow_run) == "Crashed", 120, "the run is called crashed")
    assert f"run 'toys': {SAID}" in (live.home / "last.log").read_text()


def test_the_form_offers_a_combination_that_is_added_while_it_is_served(live: Live) -> None:
    def offered() -> list[str]:
        deployment = live.get("/deployments/name/videodreamer/full")
        return deployment["parameter_openapi_schema"]["properties"]["combination"]["enum"]

    params = live.project / "params.yaml"
    before, text, toys = offered(), params.read_text(), read_yaml(params)["combinations"]["toys"]
    params.write_text(text + "  added: {")  # in the middle of an edit
    time.sleep(2 * LOOK_SECONDS)
    params.write_text(text.rstrip() + f"\n  added: {json.dumps(toys)}\n")
    wait_for(lambda: offered() == [*before, "added"], 60, "the form offers it")
    params.write_text(text)
    wait_for(lambda: offered() == before, 60, "the form offers it no longer")


def test_the_second_checkout_serves_under_its_own_name(live: Live, tmp_path_factory: pytest.TempPathFactory) -> None:
    second = Live(build_project(tmp_path_factory.mktemp("second")), live.home, live.port)
    play_stages(second.project, ["toys"])
    second.start("second", "flows.full", "serve")
    wait_for(lambda: len(live.post("/deployments/filter", {})) == 2, 120, "two deployments")
    second.close()
    said = (live.home / "second.log").read_text()
    assert f"videodreamer/full on this server runs in {live.project}; the deployment of {second.project} is videodreamer/full-" in said
