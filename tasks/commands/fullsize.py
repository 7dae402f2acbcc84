"""`make fullsize`: every stage on bases of the published size with random weights → metrics/fullsize.json, README's hardware table.

Weights mean nothing here: what it shows is shapes, names, tokens, seconds and memory. Nothing is fetched.
"""

import json
import os
import runpy
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, TypeVar

import torch
import typer
import yaml

from tasks.shared.cores import usable_cores
from tasks.shared.documents import as_table, fill_table
from tasks.shared.paths import CACHE
from tasks.shared.yaml_files import overlay, read_yaml
from vd_core.bases.device import gpu_is_usable
from vd_core.bases.published import Name, build_published
from vd_core.files import write_json
from vd_core.studies.random_judges import build_random_judges
from vd_core.studies.timing import peak_megabytes

ROOT = Path(__file__).resolve().parents[2]
OUT, DOCUMENT = ROOT / "metrics" / "fullsize.json", ROOT / "README.md"
COMBINATION = "pair"
PROMPTS = ["are surfing in the ocean"]
SHORT: dict[str, Any] = {
    "mix": {"count": 4},
    "sampling": {"num_inference_steps": 4},
    "finetune": {"schedule": {"steps": 1}, "validation": {"every": 0}},
    "hlr": {"candidates": 1, "min_picks": 1, "steps": 1},
    "motion": {"schedule": {"steps": 1}, "copies": 2, "actors": 1, "validation": {"every": 0}},
    "render": {"num_inference_steps": 3, "t_forward": 2, "t_warp": 1},
}
"""What a short run changes of a base's preset: all sizes, frames and batches stay."""
Figures = dict[str, dict[str, float]]
Built = TypeVar("Built")
LIBRARIES = 1.5
"""Gigabytes; a stage that opens no network needs less."""
SIZES = {"sd15": "Stable Diffusion 1.5", "sd21": "Stable Diffusion 2.1"}


def write_project(name: Name, folder: Path, sample_size: int, device: str) -> None:
    """A project in `folder` whose one combination, the demo's two subjects, stands on a random base of the published shape."""
    base = folder / "base"
    if not (base / "ready").exists():
        shutil.rmtree(base, ignore_errors=True)
        build_apart(build_published, name, base, sample_size)
        (base / "ready").touch()
    judges = build_apart(build_random_judges, folder / "judges", folder / "torch")
    part = {"revision": None}
    adapter = {"path": str(base / "motion_adapter"), **part} if (base / "motion_adapter").is_dir() else None
    source = {
        "pipeline": {"path": str(base), **part},
        "image_encoder": {"path": str(base / "image_encoder"), **part},
        "motion_adapter": adapter,
    }
    preset = overlay(read_yaml(ROOT / "presets" / f"{name}.yaml"), SHORT, {"source": source, "judges": asdict(judges)})
    combination = {"base": name, "finetune_from": COMBINATION, "subjects": ["dog", "car"], "prompts": PROMPTS, "sampling_round": 0}
    combination |= {"motion_prompt": "a bear playing in the city" if adapter else None}
    write_yaml(folder / "presets" / f"{name}.yaml", preset)
    write_yaml(
        folder / "params.yaml", {"base": name, "seed": 0, "device": device, "processes": 1, "combinations": {COMBINATION: combination}}
    )
    shutil.copytree(ROOT / "data" / "toys", folder / "data" / COMBINATION, dirs_exist_ok=True)


def build_apart(build: Callable[..., Built], *arguments: Any) -> Built:
    """What `build` gives, in a process of its own: the weights that it draws would stay in this one's memory beside every stage."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(build, *arguments).result()


def write_yaml(path: Path, content: dict[str, Any]) -> None:
    """Write plain values as YAML."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def measure_stage(folder: Path, stage: str) -> dict[str, float]:
    """Run one stage in a process of its own in `folder`: its `seconds`, and the peak of its memory in `gigabytes` (a GPU's, where it is on one)."""
    report = folder / "peak.json"
    command = [sys.executable, "-m", "tasks.commands.fullsize", "--peak-of", stage, "--report", str(report)]
    here = {"PYTHONPATH": str(ROOT), "TORCH_HOME": str(folder / "torch"), "HF_HUB_OFFLINE": "1"}
    start = time.monotonic()
    done = subprocess.run(command, cwd=folder, env={**os.environ, **here}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{stage}: {done.stderr[-2000:]}")
    return {"seconds": round(time.monotonic() - start, 1), "gigabytes": json.loads(report.read_text())["gigabytes"]}


def say_peak(stage: str, report: Path) -> None:
    """Run a stage in this process and write the peak of its memory."""
    argv = sys.argv
    sys.argv = [stage, COMBINATION, "--debug"]
    try:
        runpy.run_module(f"tasks.{stage}", run_name="__main__")
    except SystemExit as ended:
        if ended.code:
            raise
    sys.argv = argv
    write_json(report, {"gigabytes": round(peak_megabytes(gpu_is_usable()) / 1e3, 2)})


def render_by_one(folder: Path, name: str, generator: str) -> dict[str, float]:
    """The render stage with one generator alone."""
    path = folder / "presets" / f"{name}.yaml"
    steps = {"num_inference_steps": 1} if generator == "animatediff" else {}
    write_yaml(path, overlay(read_yaml(path), {"render": {"generators": [generator], **steps}}))
    measure_stage(folder, "settings")
    return measure_stage(folder, "render")


def pick_first(folder: Path) -> None:
    """What a person would choose."""
    command = [sys.executable, "-m", "tasks.commands.pick", COMBINATION, "1", "--name", "fullsize"]
    subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)


def measure_base(
    name: Name, folder: Path, sample_size: int = 64, device: str = "auto", stages: Sequence[str] = ()
) -> Iterator[tuple[str, dict[str, float]]]:
    """Every stage on one base, from pictures to metrics, or only `stages` on what an earlier run left: seconds and peak memory of each."""
    write_project(name, folder, sample_size, device)
    for stage, run in all_stages(folder, name):
        if not stages or stage in stages:
            yield stage, run()


def all_stages(folder: Path, name: str) -> Iterator[tuple[str, Callable[[], dict[str, float]]]]:
    """Every stage and how it is measured, in the order of the pipeline; each generator is rendered by itself."""
    for stage in ("settings", "mix", "finetune", "sample"):
        yield stage, partial(measure_stage, folder, stage)
    yield "refinetune", partial(refinetune_picked, folder)
    for stage in ("motion", "swap"):
        yield stage, partial(measure_stage, folder, stage)
    for generator in read_yaml(ROOT / "presets" / f"{name}.yaml")["render"]["generators"]:
        yield f"render {generator}", partial(render_by_one, folder, name, generator)
    for stage in ("encode", "evaluate"):
        yield stage, partial(measure_stage, folder, stage)


def refinetune_picked(folder: Path) -> dict[str, float]:
    """Choose the first candidate as a person would, and re-finetune on it."""
    pick_first(folder)
    return measure_stage(folder, "refinetune")


def hardware_rows(report: dict[str, Any]) -> list[list[str]]:
    """README's rows: the stages that hold more than the libraries; each base is named in its first."""
    rows = []
    for base, figures in report["bases"].items():
        name = SIZES[base]
        for stage, own in figures.items():
            if own["gigabytes"] > LIBRARIES:
                rows.append([name, stage.replace("_", " "), f"{own['seconds']:.0f} s", f"{own['gigabytes']:.1f} GB"])
                name = ""
    return rows


def main(
    bases: Annotated[list[str] | None, typer.Argument(help="sd15, sd21; all if none is named")] = None,
    stage: Annotated[
        list[str] | None, typer.Option(help="measure this stage again, such as 'render animatediff'; the others keep their figures")
    ] = None,
    peak_of: Annotated[str | None, typer.Option(hidden=True)] = None,
    report: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run every stage at full size for a step or two, and measure seconds and memory."""
    if peak_of and report:
        say_peak(peak_of, report)
        return
    measured = json.loads(OUT.read_text())["bases"] if OUT.exists() and (bases or stage) else {}
    names: list[Name] = [n for n in ("sd15", "sd21") if not bases or n in bases]
    for name in names:
        measured[name] = measured.get(name, {}) if stage else {}
        for done, figures in measure_base(name, CACHE.resolve() / "fullsize" / name, stages=stage or ()):
            measured[name][done] = figures
            print(f"{name} {done}: {figures}")
            write_report(measured)


def write_report(measured: dict[str, Figures]) -> None:
    """Write what is measured so far, and README's table."""
    device = torch.cuda.get_device_name(0) if gpu_is_usable() else f"CPU, {len(usable_cores())} cores"
    steps = "512 pixels; 1 step of each training, 1 picture of 4 steps, 1 clip of 3 steps (AnimateDiff: 1)"
    write_json(OUT, {"device": device, "steps": steps, "bases": measured})
    fill_table(DOCUMENT, "fullsize", as_table(["base", "stage", "seconds", "peak memory"], hardware_rows({"bases": measured})))


if __name__ == "__main__":
    typer.run(main)
