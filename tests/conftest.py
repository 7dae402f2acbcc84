"""Small random bases, made once a run, and a project folder to run stages in."""

import os
from pathlib import Path

import pytest
import torch

from tests.helpers.bases import KINDS, write_tiny_base
from tests.helpers.workspace import write_workspace
from vd_core.bases.stable_diffusion import Base, folder_source, load_base

torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the processes that tests start
os.environ.update(CUDA_VISIBLE_DEVICES="", HIP_VISIBLE_DEVICES="")  # `device: auto` would take a GPU, whose bytes differ from run to run


SECOND_IS_SLOW = ("tasks", "methods", "training", "studies")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stages, trainings and studies on the second kind of base are slow tests; bases, generators and files meet both kinds in `make test`."""
    for item in items:
        chosen = getattr(item, "callspec", None)
        if chosen and chosen.params.get("kind") == "sd2" and item.path.parent.name in SECOND_IS_SLOW:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def base_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each kind."""
    root = tmp_path_factory.mktemp("bases")
    for kind in KINDS:
        write_tiny_base(root / kind, kind)
    return {kind: root / kind for kind in KINDS}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of base in turn."""
    return request.param


@pytest.fixture
def base(base_folders: dict[str, Path], kind: str) -> Base:
    """A fresh random base of each kind, with its motion adapter."""
    return load_base(folder_source(base_folders[kind]), torch.device("cpu"))


@pytest.fixture
def workspace(tmp_path: Path, base_folders: dict[str, Path], kind: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with quick settings on a random base, judges that have learned nothing and two subjects; it is the working directory."""
    write_workspace(tmp_path, base_folders[kind])
    monkeypatch.chdir(tmp_path)
    return tmp_path
