"""What a machine installs: the lock's pins, and the PyTorch that suits its GPU."""

import os
import subprocess
import tomllib
from pathlib import Path

import pytest
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


@pytest.mark.parametrize(
    ("capabilities", "backend"),
    [
        ("6.1", "cu126"),
        ("7.0\n7.0", "cu126"),
        ("7.5", "auto"),
        ("12.0", "auto"),
        ("6.1\n8.6", "auto"),
        ("", "auto"),
        ('Field "compute_cap" is not a valid field to query.', "auto"),
    ],
)
def test_gpus_before_turing_get_the_last_build_that_has_them(
    capabilities: str, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uv looks at the driver alone: a GTX 1080 Ti with a new one got CUDA 13 (astral-sh/uv#14742)."""
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{capabilities}\nEND\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    asked = "include Makefile\nasked:\n\t@echo $(TORCH_BACKEND)\n"
    done = subprocess.run(["make", "-s", "-f", "-", "asked"], input=asked, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == backend
