"""`make bench`: our training step and generators against others, alternating, on the base of params.yaml → metrics/bench.json, docs/speed.md."""

import gc
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
import typer
from torch.profiler import profile
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from tasks.commands.bench_clips import generators_table, growth_table, judged_table, measure_generators
from tasks.commands.bench_study import measure_study
from tasks.settings import build_sections
from tasks.shared.command import silence_libraries
from tasks.shared.documents import as_table, fill_table
from tasks.shared.merging import load_params, merge
from tasks.shared.opening import open_base
from tasks.shared.paths import data_folder
from vd_core.bases.device import choose_device, choose_dtype
from vd_core.bases.stable_diffusion import Base
from vd_core.files import write_json
from vd_core.inputs.inspecting import inspect_pictures, use_all
from vd_core.inputs.mixing import draw_mixtures, mix_pictures
from vd_core.inputs.pictures import load_square
from vd_core.inputs.subjects import load_subjects
from vd_core.studies.speed import FIGURES, Bench, Stepper, Version, build_bench, versions_of
from vd_core.studies.timing import forget_peak, peak_megabytes, summarise

Versions = dict[str, Version]
OUT, DOCUMENT = Path("metrics/bench.json"), Path("docs/speed.md")
MATMUL = 2048
PRODUCTS = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "convolution", "attention")


def open_bench(name: str) -> Bench:
    """What is timed, from the settings and the pictures of a combination."""
    merged = merge(load_params(), name)
    subjects = load_subjects(data_folder(merged.finetune_from), merged.subjects, merged.placeholder_tokens)
    models = build_sections(merged).finetune.models.model_copy(update={"precision": "float32"})  # each version is cast by itself
    base = open_base(models, merged.device, subjects)
    paths = use_all([inspect_pictures(s.folder) for s in subjects])
    pictures = [[load_square(p, base.resolution) for p in own] for own in paths]
    mixtures = draw_mixtures([len(own) for own in pictures], merged.mix.count, merged.seed)
    mixed = [mix_pictures([own[m] for own, m in zip(pictures, chosen, strict=True)], base.resolution) for chosen in mixtures]
    return build_bench(base, subjects, pictures, mixed, merged.finetune.lora.rank, merged.finetune.lora.targets)


def read_dtype(name: str) -> torch.dtype:
    """What the combination trains in, on its device."""
    merged = merge(load_params(), name)
    return choose_dtype(merged.precision, choose_device(merged.device))


def compare_losses(versions: Versions) -> float:
    """The largest relative difference from the peer's loss in float32, over three steps."""
    losses = {k: [v.loss(torch.Generator().manual_seed(s)).item() for s in range(3)] for k, v in versions.items()}
    return max(abs(a - b) / abs(b) for own in losses.values() for a, b in zip(own, losses["peer"], strict=True))


def time_versions(steppers: dict[str, Stepper], pairs: int, steps: int, name: str) -> dict[str, list[float]]:
    """Seconds a step of each version, `pairs` times, alternating."""
    seconds: dict[str, list[float]] = {k: [] for k in steppers}
    for pair in tqdm(range(pairs), name):
        for version, stepper in steppers.items():
            start = time.perf_counter()
            for seed in range(steps):
                stepper.step(pair * steps + seed)
            seconds[version].append((time.perf_counter() - start) / steps)
    return seconds


def warm_up(stepper: Stepper, steps: int = 3) -> float:
    """Take some steps; the seconds of the first, which compiles what is to be compiled."""
    start = time.perf_counter()
    stepper.step(0)
    first = time.perf_counter() - start
    for seed in range(1, steps):
        stepper.step(seed)
    return first


def count_operations(version: Version, dtype: torch.dtype) -> int:
    """Floating-point operations of one step's matrix products and convolutions, forward and backward."""
    with FlopCounterMode(display=False) as counter:
        Stepper(version, dtype).step(0)
    return counter.get_total_flops()


def matmul_share(version: Version, dtype: torch.dtype, operations: int, seconds: float) -> dict:
    """The floating-point operations of our step per second, as a share of what this machine's matmul reaches in the step's precision.

    Beside it why it is not 1: the share of the step's time that its products take, and the speed of the products alone by the same measure.
    """
    rate = matmul_rate(version.bench.base, dtype)
    busy = time_in_products(version, dtype)
    own = operations / seconds / rate
    return {
        "value": round(own, 3),
        "matmul_gflops": round(rate / 1e9),
        "time_in_products": round(busy, 3),
        "products_of_matmul": round(own / busy, 3),
    }


def time_in_products(version: Version, dtype: torch.dtype) -> float:
    """The share of a step's time that matrix products, convolutions and fused attention take, forward and backward."""
    stepper, field = (
        Stepper(version, dtype),
        "self_device_time_total" if version.bench.base.device.type == "cuda" else "self_cpu_time_total",
    )
    stepper.step(0)
    with profile() as profiler:
        stepper.step(1)
    times = {event.key: getattr(event, field) for event in profiler.key_averages()}
    return sum(t for name, t in times.items() if any(word in name for word in PRODUCTS)) / sum(times.values())


def matmul_rate(base: Base, dtype: torch.dtype, repeats: int = 10) -> float:
    """Operations a second of a square matmul."""
    a = torch.randn(MATMUL, MATMUL, device=base.device, dtype=dtype)
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        torch.mm(a, a).sum().item()
        best = min(best, time.perf_counter() - start)
    return 2 * MATMUL**3 / best


def measure_memory(combination: str, figure: str, version: str) -> float:
    """Peak megabytes of a process of its own that takes five steps with one version."""
    command = [sys.executable, "-m", "tasks.commands.bench", combination, "--memory-of", f"{figure}:{version}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    return float(done.stdout.split()[-1])


def say_memory(combination: str, which: str) -> None:
    """Take five steps and print the peak memory of what they need in megabytes: the models and what a step keeps, not what built them."""
    figure, name = which.split(":")
    dtype = read_dtype(combination)
    version = versions_of(open_bench(combination), figure, dtype)[name]
    gc.collect()
    on_gpu = version.bench.base.device.type == "cuda"
    forget_peak(on_gpu)
    warm_up(Stepper(version, dtype), steps=5)
    print(peak_megabytes(on_gpu))


def measure(bench: Bench, figure: str, combination: str, dtype: torch.dtype, pairs: int, steps: int) -> dict:
    """Everything about one comparison. `ratio` is ours compiled against the peer as it is; the others stand beside it."""
    difference = compare_losses(versions_of(bench, figure, torch.float32))
    versions = versions_of(bench, figure, dtype)
    steppers = {k: Stepper(v, dtype) for k, v in versions.items()}
    first = {k: round(warm_up(stepper), 1) for k, stepper in steppers.items()}
    seconds = time_versions(steppers, pairs, steps, figure)
    operations = {k: count_operations(versions[k], dtype) for k in ("ours", "peer")}
    ours = statistics.median(seconds["ours_compiled"])
    return summarise(seconds["ours_compiled"], seconds["peer"]) | {
        "not_compiled": summarise(seconds["ours"], seconds["peer"]),
        "both_compiled": summarise(seconds["ours_compiled"], seconds["peer_compiled"]),
        "seconds_a_step": {k: round(statistics.median(own), 4) for k, own in seconds.items()},
        "first_step_seconds": first,
        "step_gflop": {k: round(n / 1e9, 1) for k, n in operations.items()},
        "expected_ratio": round(operations["peer"] / operations["ours"], 3),
        "loss_difference": float(np.float32(difference)),
        "matmul_share": matmul_share(versions["ours"], dtype, operations["ours"], ours),
        "peak_mb": {k: round(measure_memory(combination, figure, k)) for k in versions},
    }


def speed_table(figures: dict) -> str:
    """What docs/speed.md shows of the figures."""
    rows = []
    for name in FIGURES:
        own = figures[name]
        ratios = [
            f"{r['ratio']:.2f} ({r['spread'][0]:.2f} to {r['spread'][1]:.2f})" for r in (own, own["not_compiled"], own["both_compiled"])
        ]
        memory = f"{own['peak_mb']['ours_compiled']}, {own['peak_mb']['ours']}; {own['peak_mb']['peer']}"
        rows.append([f"`{name}`", *ratios, f"{own['expected_ratio']:.2f}", memory])
    head = ["", "ours compiled : peer", "neither compiled", "both compiled", "by operations alone", "peak MB: ours compiled, ours; peer"]
    return as_table(head, rows)


def measure_training(combination: str, pairs: int, steps: int) -> dict:
    """All figures of the training step."""
    dtype = read_dtype(combination)
    bench = open_bench(combination)
    figures = {name: measure(bench, name, combination, dtype, pairs, steps) for name in FIGURES}
    return figures | {"matmul_share": figures["train_vs_literal"]["matmul_share"]}


def main(
    combination: Annotated[str, typer.Argument(help="whose pictures")] = "toys",
    pairs: Annotated[int, typer.Option(help="alternating pairs of each comparison")] = 7,
    steps: Annotated[int, typer.Option(help="steps of each measurement")] = 15,
    only: Annotated[
        Literal["training", "generators", "study"] | None,
        typer.Option(help="one part, the others' figures stay; study: how long the profile quick takes, up to two hours, in no other run"),
    ] = None,
    memory_of: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Time our training step and generators against others on a quiet machine."""
    silence_libraries()
    kept = json.loads(OUT.read_text()) if OUT.is_file() else {}
    if only == "study":
        write_json(OUT, kept | measure_study())
        return
    if memory_of:
        say_memory(combination, memory_of)
        return
    if only != "generators":
        figures = measure_training(combination, pairs, steps)
        write_json(OUT, kept := kept | figures)
        fill_table(DOCUMENT, "bench", speed_table(figures))
    if only != "training":
        figures = measure_generators(combination, pairs)
        write_json(OUT, kept | figures)
        fill_table(DOCUMENT, "clips", generators_table(figures))
        fill_table(DOCUMENT, "judged", judged_table(figures))
        fill_table(DOCUMENT, "growth", growth_table(figures))
    print(OUT.read_text())


if __name__ == "__main__":
    typer.run(main)
