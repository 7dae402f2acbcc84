"""A small study of the toybox edition on a random base, in a project folder."""

import shutil
from pathlib import Path

import yaml

from tasks.shared.yaml_files import overlay, read_yaml
from tests.helpers.project import build_project
from tests.helpers.workspace import ROOT, change, write_workspace

SMALL = {"combinations": 1, "prompts_of_each_kind": 1, "seeds": 1, "variants": ["dreambooth", "disen_mix"]}
QUICKER = {"text2video_zero_frames": 2, "animatediff_frames": 2, "num_inference_steps": 5, "t_forward": 3, "t_warp": 2}


def write_study_workspace(folder: Path, base: Path, **changes: object) -> None:
    """A workspace to run a small study's cells in as functions."""
    write_workspace(folder, base)
    write_small_study(folder, **changes)


def build_study_project(folder: Path, **changes: object) -> Path:
    """A clone-like folder to run a small study in by commands."""
    build_project(folder)
    write_small_study(folder, **changes)
    return folder


def write_small_study(folder: Path, **changes: object) -> None:
    """A profile `quick` of one combination, three prompts, one seed and two methods, with `changes` of it, and trainings of two steps."""
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks")
    change("finetune", {"schedule": {"steps": 2}, "validation": {"every": 0}}, folder)
    change("render", QUICKER, folder)
    plan = overlay(read_yaml(ROOT / "benchmarks/studies.yaml"), {"profiles": {"quick": {**SMALL, **changes}}})
    plan["editions"]["toybox"]["steps"] = {}  # the tuned ones are hundreds
    (folder / "benchmarks/studies.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))


def folders_of(store: Path) -> dict[str, int]:
    """Every finished result by its path in the store, and the number of its folder on the disk: a result that is made again has another."""
    return {str(p.relative_to(store)): p.stat().st_ino for kind in ("finetunings", "clips", "scores") for p in (store / kind).glob("[!.]*")}


def figures_of(folder: Path) -> dict[str, bytes]:
    """The bytes of every cell's figures, by path."""
    runs = folder / "runs/studies"
    return {str(p.relative_to(runs)): p.read_bytes() for p in sorted(runs.glob("*/cells/*/*/figures.json"))}
