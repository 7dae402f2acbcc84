"""What a machine installs: the lock's pins."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.helpers.imports import ROOT

PINS = [Requirement(line) for line in (ROOT / "requirements.lock").read_text().splitlines()]


def test_the_lock_has_all_that_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = {canonicalize_name(p.name): str(p.specifier) for p in PINS}
    for line in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        wanted = Requirement(line)
        version = pins[canonicalize_name(wanted.name)].removeprefix("==")
        assert wanted.specifier.contains(version), line


def test_the_lock_names_nothing_that_a_mac_or_another_driver_lacks() -> None:
    """CUDA's packages are what the PyTorch that suits the machine asks for, and its version is the same in all of its builds."""
    assert not [p.name for p in PINS if p.name.startswith(("nvidia", "cuda", "triton"))]
    assert not [p for p in PINS if "+" in str(p.specifier)]


def test_the_makefile_installs_the_locks_own_uv() -> None:
    makefile = Path(ROOT / "Makefile").read_text()
    assert "grep '^uv==' requirements.lock" in makefile and any(p.name == "uv" for p in PINS)
