"""The generators' part of `make bench`: ours against diffusers' pipelines, alternating, and what judges say of the same clips."""

import gc
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch
import typer

from tasks.shared.command import silence_libraries
from tasks.shared.documents import as_table
from tasks.shared.merging import load_params, merge
from tasks.shared.params import Merged
from vd_core.bases.device import choose_device, choose_dtype
from vd_core.bases.stable_diffusion import Base, load_base
from vd_core.errors import InputError
from vd_core.generation.pictures import generate_pictures
from vd_core.metrics.judges import load_local_judges
from vd_core.studies.clips import Scene, choose_scenes, compare_clips, judge_drawn_clip
from vd_core.studies.generators import FRAMES, Make, open_version
from vd_core.studies.timing import forget_peak, peak_megabytes, summarise, time_alternating
from vd_core.toybox.reading.reader import load_reader

NAMES = {"zero": "zero_vs_diffusers", "animatediff": "animatediff_vs_diffusers"}
SCENES_SEED, JUDGED = 900_000, 20
BATCH, GROWTH_STEPS = 4, 5
GROWTH = (8, 16, 32, 64)
SHIPPED = ("ours", "fast")


def precision_of(merged: Merged, version: str) -> torch.dtype:
    """What a version computes in: as ours ship, the preset's `precision`; diffusers' default, float32, everywhere else."""
    return choose_dtype(merged.precision, choose_device(merged.device)) if version in SHIPPED else torch.float32


def open_fresh(merged: Merged, version: str) -> Base:
    """The combination's base without any customization, for a version."""
    return load_base(merged.source, choose_device(merged.device), dtype=precision_of(merged, version))


def open_versions(merged: Merged, generator: str, versions: tuple[str, ...]) -> dict[str, Make]:
    """Some versions of a generator, each over a base of its own."""
    guidance = merged.sampling.guidance_scale
    return {v: open_version(open_fresh(merged, v), generator, v, guidance, FRAMES[generator]) for v in versions}


def compare_as_shipped(merged: Merged, generator: str, scenes: list[Scene]) -> tuple[dict, dict]:
    """Ours and fast mode against the peer, each in the precision that it ships with; a round a scene, and the judges' figures of the very clips."""
    versions = open_versions(merged, generator, ("ours", "fast", "peer"))
    if not isinstance(merged.judges, str):
        raise InputError("make bench judges clips of the drawn world; give it a combination on the embedded base")
    judges, reader = load_local_judges(Path(merged.judges), torch.device("cpu")), load_reader(Path(merged.judges))
    judged: dict[str, list[dict[str, float]]] = {name: [] for name in versions}
    clips: dict[str, torch.Tensor] = {}

    def make_of(name: str, make: Make) -> Callable[[int], None]:
        def run(i: int) -> None:
            clips[name] = make([scenes[i].prompt], [i])[0].float().cpu()

        return run

    runs = {name: make_of(name, make) for name, make in versions.items()}
    seconds: dict[str, list[float]] = {name: [] for name in versions}
    time_alternating(runs, [0])  # warm
    for i in range(len(scenes)):
        for name, own in time_alternating(runs, [i]).items():
            seconds[name] += own
            judged[name].append(judge_drawn_clip(judges, reader, clips[name], scenes[i]))
    shipped, fast = (
        summarise(seconds[name], seconds["peer"])
        | {"precision": {v: str(precision_of(merged, v)).removeprefix("torch.") for v in (name, "peer")}}
        | {"seconds_a_clip": {k: median_of(seconds[k]) for k in (name, "peer")}, "judged": compare_clips(judged[name], judged["peer"])}
        for name in ("ours", "fast")
    )
    return shipped, fast


def compare_equal(merged: Merged, generator: str, scenes: list[Scene], pairs: int) -> dict:
    """The same solver and steps, float32: the ratio, and the largest difference of a pixel in any frame, in 255ths."""
    versions = open_versions(merged, generator, ("ours_same", "peer_same"))
    clips = {name: make([scenes[0].prompt], [0])[0] for name, make in versions.items()}  # warms too
    runs = {name: lambda i, make=make: make([scenes[i].prompt], [i]) for name, make in versions.items()}
    seconds = time_alternating(runs, range(pairs))
    difference = float((clips["ours_same"].cpu() - clips["peer_same"].cpu()).abs().max()) * 127.5
    return summarise(seconds["ours_same"], seconds["peer_same"]) | {
        "seconds_a_clip": {k: median_of(own) for k, own in seconds.items()},
        "difference_of_255": round(difference, 4),
    }


def median_of(seconds: list[float]) -> float:
    """Rounded."""
    return round(sorted(seconds)[len(seconds) // 2], 3)


def compare_batched(merged: Merged, scenes: list[Scene], pairs: int) -> dict:
    """Some prompts and seeds in one call against one after the other: clips of both generators, and pictures."""
    makes: dict[str, Callable[[list[str], list[int]], object]] = {g: open_versions(merged, g, ("ours",))["ours"] for g in FRAMES}
    steps, guidance = merged.sampling.num_inference_steps, merged.sampling.guidance_scale
    base = open_fresh(merged, "ours")
    makes["pictures"] = lambda prompts, seeds: generate_pictures(base, prompts, seeds, steps, guidance)
    prompts, seeds = [s.prompt for s in scenes[:BATCH]], list(range(BATCH))
    figures = {}
    for name, make in makes.items():
        runs = {
            "batched": lambda _, make=make: make(prompts, seeds),
            "single": lambda _, make=make: [make([prompt], [seed]) for prompt, seed in zip(prompts, seeds, strict=True)],
        }
        time_alternating(runs, [0])  # warm
        seconds = time_alternating(runs, range(pairs))
        figures[name] = summarise(seconds["batched"], seconds["single"])
    return {"at_once": BATCH} | figures


def measure_growth(combination: str) -> dict:
    """Seconds of a few steps and peak memory by frames, each in a process of its own."""
    return {g: {str(n): run_apart(combination, f"{g}:ours:{n}:{GROWTH_STEPS}") for n in GROWTH} for g in FRAMES}


def measure_memory(combination: str, generator: str, versions: tuple[str, ...]) -> dict[str, float]:
    """Peak megabytes of a process that makes one clip with each version."""
    return {v: run_apart(combination, f"{generator}:{v}:{FRAMES[generator]}:{GROWTH_STEPS}")["peak_mb"] for v in versions}


def run_apart(combination: str, which: str) -> dict[str, float]:
    """`say_one` in a process of its own."""
    command = [sys.executable, "-m", "tasks.commands.bench_clips", which, combination]
    seconds, peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-2:]
    return {"seconds": float(seconds), "peak_mb": float(peak)}


def say_one(
    which: Annotated[str, typer.Argument(help="generator:version:frames:steps")],
    combination: Annotated[str, typer.Argument(help="whose settings")] = "toys",
) -> None:
    """Make one clip, and print its seconds and the process's peak memory in megabytes."""
    silence_libraries()
    merged = merge(load_params(), combination)
    generator, version, frames, steps = which.split(":")
    make = open_version(open_fresh(merged, version), generator, version, merged.sampling.guidance_scale, int(frames), int(steps))
    gc.collect()
    on_gpu = choose_device(merged.device).type == "cuda"
    forget_peak(on_gpu)
    start = time.perf_counter()
    make([choose_scenes(1, SCENES_SEED)[0].prompt], [0])
    print(round(time.perf_counter() - start, 2), round(peak_megabytes(on_gpu)))


def measure_generators(combination: str, pairs: int) -> dict:
    """All figures of the generators."""
    merged = merge(load_params(), combination)
    scenes = choose_scenes(JUDGED, SCENES_SEED)
    figures: dict = {"fast_mode": {}}
    for generator, name in NAMES.items():
        figures[name], figures["fast_mode"][generator] = compare_as_shipped(merged, generator, scenes)
        figures[f"{name}_same"] = compare_equal(merged, generator, scenes, pairs)
        peaks = measure_memory(combination, generator, ("ours", "ours_same", "peer"))
        figures[name]["peak_mb"] = {v: peaks[v] for v in ("ours", "peer")}
        figures[f"{name}_same"]["peak_mb"] = {"ours": peaks["ours_same"], "peer": peaks["peer"]}
    figures["batched_vs_single"] = compare_batched(merged, scenes, pairs)
    figures["growth"] = measure_growth(combination)
    return figures


def ratio_of(own: dict) -> str:
    """A ratio and its spread."""
    return f"{own['ratio']:.2f} ({own['spread'][0]:.2f} to {own['spread'][1]:.2f})"


def generators_table(figures: dict) -> str:
    """What docs/speed.md shows of the ratios."""
    rows = []
    for generator, name in NAMES.items():
        shipped, same, fast = figures[name], figures[f"{name}_same"], figures["fast_mode"][generator]
        rows.append(
            [
                f"`{name}`",
                ratio_of(shipped),
                ratio_of(same),
                ratio_of(fast),
                f"{shipped['peak_mb']['ours']:.0f}; {shipped['peak_mb']['peer']:.0f}",
            ]
        )
    return as_table(["", "as both ship", "`_same`: equal settings", "`fast_mode`", "peak MB: ours; peer"], rows)


def judged_table(figures: dict) -> str:
    """What judges say of ours, of fast mode and of the peer, and the differences with their intervals."""
    rows = []
    for generator, name in NAMES.items():
        for version, own in (("ours", figures[name]["judged"]), ("fast mode", figures["fast_mode"][generator]["judged"])):
            cells = [
                f"{f['ours']['value']:.2f}; {f['peer']['value']:.2f} ({f['difference']['ci95'][0]:+.2f} to {f['difference']['ci95'][1]:+.2f})"
                for f in own.values()
            ]
            rows.append([f"{generator}, {version}", *cells])
    return as_table(["ours; diffusers' (the difference)", *figures[NAMES["zero"]]["judged"]], rows)


def growth_table(figures: dict) -> str:
    """Seconds and memory by frames."""
    rows = [
        [g, *(f"{own[str(n)]['seconds']:.1f} s, {own[str(n)]['peak_mb']:.0f} MB" for n in GROWTH)] for g, own in figures["growth"].items()
    ]
    return as_table([f"{GROWTH_STEPS} steps", *(f"{n} frames" for n in GROWTH)], rows)


if __name__ == "__main__":
    typer.run(say_one)
