"""A study by real runs of the flow: killed, without a worker, with a cluster started again; on worker processes, Dask and Ray."""

import os
import signal
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.helpers.clusters import Groups, groups, ray_workers, start_dask, start_ray, wait_until
from tests.helpers.live import Live, free_port
from tests.helpers.studies import build_study_project, figures_of, folders_of

pytestmark = pytest.mark.slow
CLIPS = 12
SECONDS = 1500.0
needs_dask = pytest.mark.skipif(find_spec("prefect_dask") is None, reason="needs the extra dask")
needs_ray = pytest.mark.skipif(find_spec("prefect_ray") is None, reason="needs the extra ray")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_study_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def own(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Groups]:
    """Processes beside a Prefect server of their own."""
    live = Live(project, tmp_path_factory.mktemp("prefect"))
    live.start_server()
    settings = {k: v for k, v in live.environment.items() if k.startswith(("PREFECT", "OMP"))}
    paths = os.pathsep.join([str(project), *(p for p in sys.path if p and Path(p).is_dir())])  # an extra may lie beside the environment
    try:
        with groups(project, tmp_path_factory.mktemp("logs"), settings | {"PYTHONPATH": paths}) as started:
            yield started
    finally:
        live.close()


def start(own: Groups, store: Path, *options: str) -> str:
    """Start a run of the flow into `store`; its name."""
    name = f"run-{store.name}-{free_port()}"
    own.start(name, sys.executable, "-m", "flows.benchmark", "run", "--store", str(store), *options)
    return name


def finish(own: Groups, name: str) -> None:
    """Wait for a run to end well."""
    code = own.running[name].wait(SECONDS)
    own.running.pop(name)
    assert code == 0, own.log(name)[-3000:]


def wait_for_clips(own: Groups, name: str, store: Path, count: int) -> None:
    """Wait until so many clips of a run that still runs are finished."""

    def there() -> bool:
        assert own.running[name].poll() is None, own.log(name)[-3000:]
        return len(clips_of(store)) >= count

    wait_until(there, SECONDS, f"{count} clips of {name}")


def clips_of(store: Path) -> list[str]:
    return [name for name in folders_of(store) if name.startswith("clips/")]


def pictures_of(store: Path) -> dict[str, bytes]:
    """Every frame of every clip."""
    return {str(p.relative_to(store)): p.read_bytes() for p in (store / "clips").glob("[!.]*/*.png")}


@pytest.fixture(scope="module")
def undisturbed(own: Groups, project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The figures and the frames of a run with one worker that nothing happened to."""
    store = tmp_path_factory.mktemp("store") / "one"
    finish(own, start(own, store, "--workers", "1"))
    assert len(clips_of(store)) == CLIPS and len(figures_of(project)) == 2
    return figures_of(project), pictures_of(store)


def assert_same(before: dict[str, int], store: Path, project: Path, undisturbed: tuple[dict[str, bytes], dict[str, bytes]]) -> None:
    """What was finished `before` was not made again, nothing is missing, and every byte is that of the undisturbed run."""
    after = folders_of(store)
    assert {name: after.get(name) for name in before} == before
    assert len(clips_of(store)) == CLIPS
    assert (figures_of(project), pictures_of(store)) == undisturbed


def test_two_workers_one_of_which_is_lost_and_a_killed_run(
    own: Groups, project: Path, tmp_path: Path, undisturbed: tuple[dict[str, bytes], dict[str, bytes]]
) -> None:
    """The run lives on when a worker's process is killed; when the run itself is, the next one goes on."""
    store = tmp_path / "two"
    name = start(own, store, "--workers", "2")
    wait_for_clips(own, name, store, 1)
    os.kill(children_that_compute(own.running[name].pid)[0], signal.SIGKILL)
    wait_for_clips(own, name, store, 5)
    own.kill(name)
    before = folders_of(store)
    assert 5 <= len(clips_of(store)) < CLIPS
    finish(own, start(own, store, "--workers", "2"))
    assert_same(before, store, project, undisturbed)


def test_a_run_that_is_told_to_end_does_so_at_once(
    own: Groups, project: Path, tmp_path: Path, undisturbed: tuple[dict[str, bytes], dict[str, bytes]]
) -> None:
    """It went on with all that it had in hand, hours of it."""
    store = tmp_path / "ended"
    name = start(own, store, "--workers", "2")
    wait_for_clips(own, name, store, 1)
    workers, run = children_that_compute(own.running[name].pid), own.running.pop(name)
    run.terminate()
    assert run.wait(60) != 0
    assert workers and not any(Path(f"/proc/{pid}").exists() for pid in workers)
    before = folders_of(store)
    assert len(clips_of(store)) < CLIPS
    finish(own, start(own, store, "--workers", "2"))
    assert_same(before, store, project, undisturbed)


def children_that_compute(parent: int) -> list[int]:
    """The worker processes of a run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            about = path.read_text().rsplit(")", 1)[1].split()
            command = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(about[1]) == parent and b"spawn_main" in command:
            found.append(int(path.parent.name))
    return found


@needs_dask
def test_a_dask_cluster_loses_a_worker(
    own: Groups, project: Path, tmp_path: Path, undisturbed: tuple[dict[str, bytes], dict[str, bytes]]
) -> None:
    store = tmp_path / "dask"
    address = start_dask(own, free_port(), workers=2)
    name = start(own, store, "--runner", "dask", "--address", address)
    wait_for_clips(own, name, store, 1)
    own.kill("worker-0")
    before = folders_of(store)
    finish(own, name)
    assert_same(before, store, project, undisturbed)
    for process in ("worker-1", "scheduler"):
        own.kill(process)


@needs_dask
def test_a_dask_scheduler_is_started_again(
    own: Groups, project: Path, tmp_path: Path, undisturbed: tuple[dict[str, bytes], dict[str, bytes]]
) -> None:
    """The run ends when its scheduler is gone, in one line; the same command goes on with the next scheduler."""
    store, port = tmp_path / "dask", free_port()
    address = start_dask(own, port, workers=1)
    name = start(own, store, "--runner", "dask", "--address", address)
    wait_for_clips(own, name, store, 2)
    for process in ("scheduler", "worker-0"):
        own.kill(process)
    before = folders_of(store)
    assert own.running.pop(name).wait(SECONDS) != 0
    start_dask(own, port, workers=1)
    finish(own, start(own, store, "--runner", "dask", "--address", address))
    assert_same(before, store, project, undisturbed)
    for process in ("worker-0", "scheduler"):
        own.kill(process)


@needs_ray
def test_a_ray_cluster_loses_a_worker_and_is_started_again(
    own: Groups, project: Path, tmp_path: Path, undisturbed: tuple[dict[str, bytes], dict[str, bytes]]
) -> None:
    store = tmp_path / "ray"
    address = start_ray(own, free_port(), workers=2)
    name = start(own, store, "--runner", "ray", "--address", address)
    wait_for_clips(own, name, store, 1)
    wait_until(lambda: len(ray_workers(own)) > 0, SECONDS, "a worker computes")
    os.kill(ray_workers(own)[0], signal.SIGKILL)
    wait_for_clips(own, name, store, 4)
    own.kill(name)
    own.kill("head")
    before = folders_of(store)
    address = start_ray(own, free_port(), workers=2)
    finish(own, start(own, store, "--runner", "ray", "--address", address))
    assert_same(before, store, project, undisturbed)
    own.kill("head")
