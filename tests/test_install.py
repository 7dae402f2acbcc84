"""What a machine installs: the lock's pins, on Linux and on a Mac."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.helpers.imports import ROOT

PINS = [Requirement(line) for line in (ROOT / "requirements.lock").read_text().splitlines()]


def pins_on(platform: str) -> dict[str, str]:
    """The versions by package that a machine of `platform` installs."""
    on = {"sys_platform": platform}
    return {canonicalize_name(p.name): str(p.specifier) for p in PINS if p.marker is None or p.marker.evaluate(on)}


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_the_lock_has_all_that_the_project_asks_for(platform: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = pins_on(platform)
    for line in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        wanted = Requirement(line)
        version = pins[canonicalize_name(wanted.name)].removeprefix("==")
        assert wanted.specifier.contains(version), line


def test_a_mac_installs_no_package_of_cuda() -> None:
    only_linux = pins_on("linux").keys() - pins_on("darwin").keys()
    assert "triton" in only_linux and len(only_linux) > 10
    assert not [name for name in pins_on("darwin") if name.startswith(("nvidia", "cuda"))]


def test_the_makefile_installs_the_locks_own_uv() -> None:
    makefile = Path(ROOT / "Makefile").read_text()
    assert "grep '^uv==' requirements.lock" in makefile and any(p.name == "uv" for p in PINS)
