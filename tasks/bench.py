"""`make bench`: our training step against its peers, alternating, on the base of params.yaml → metrics/bench.json."""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from tasks.command import open_base, open_subjects, quieten_libraries
from tasks.finetune import subject_pictures
from vd_core.bases import Base
from vd_core.config import load_params
from vd_core.mixing import draw_mixtures, mix_pictures
from vd_core.speed import Bench, LossOf, Stepper, build_bench, versions_of

Versions = dict[str, LossOf]
OUT = Path("metrics/bench.json")
MATMUL = 2048


def open_bench(name: str) -> Bench:
    """What is timed, from params.yaml and the pictures of a combination."""
    params = load_params()
    _, subjects = open_subjects(params, name)
    base = open_base(params, subjects)
    pictures = subject_pictures(base, subjects)
    mixtures = draw_mixtures([len(own) for own in pictures], params.mix.count, params.seed)
    mixed = [mix_pictures([own[m] for own, m in zip(pictures, chosen, strict=True)], base.resolution) for chosen in mixtures]
    return build_bench(base, subjects, pictures, mixed, params.finetune.lora_rank, params.finetune.lora_targets)


def compare_losses(versions: Versions) -> float:
    """The largest relative difference from the peer's loss in float32, over three steps."""
    losses = {k: [loss_of(torch.Generator().manual_seed(s)).item() for s in range(3)] for k, loss_of in versions.items()}
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


def summarise(ours: list[float], peer: list[float]) -> dict:
    """The median of the pairs' ratios (how many times faster ours is), their number and spread."""
    ratios = [b / a for a, b in zip(ours, peer, strict=True)]
    return {"ratio": round(statistics.median(ratios), 3), "pairs": len(ratios), "spread": [round(min(ratios), 3), round(max(ratios), 3)]}


def count_operations(bench: Bench, loss_of: LossOf, precision: str) -> int:
    """Floating-point operations of one step's matrix products and convolutions, there and back."""
    with FlopCounterMode(display=False) as counter:
        Stepper(bench, loss_of, precision, fused=False).step(0)
    return counter.get_total_flops()


def measure_matmul_share(bench: Bench, precision: str, seconds: float) -> dict:
    """The floating-point operations of our step per second, as a share of what this machine's bfloat16 matmul reaches."""
    step = count_operations(bench, versions_of(bench)["train_vs_literal"]["ours"], precision)
    rate = matmul_rate(bench.base)
    return {"value": round(step / seconds / rate, 3), "step_gflop": round(step / 1e9, 1), "matmul_gflops": round(rate / 1e9)}


def matmul_rate(base: Base, repeats: int = 10) -> float:
    """bfloat16 operations a second of a square matmul."""
    a = torch.randn(MATMUL, MATMUL, device=base.device, dtype=torch.bfloat16)
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        torch.mm(a, a).sum().item()
        best = min(best, time.perf_counter() - start)
    return 2 * MATMUL**3 / best


def measure_memory(combination: str, figure: str, version: str) -> float:
    """Peak megabytes of a process of its own that takes five steps with one version."""
    command = [sys.executable, "-m", "tasks.bench", combination, "--memory-of", f"{figure}:{version}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    return float(done.stdout.split()[-1])


def say_memory(combination: str, which: str) -> None:
    """Take five steps and print this process's peak memory in megabytes."""
    figure, version = which.split(":")
    bench = open_bench(combination)
    stepper = build_stepper(bench, versions_of(bench)[figure], version, load_params().finetune.mixed_precision)
    warm_up(stepper, steps=5)
    on_gpu = bench.base.device.type == "cuda"
    print(torch.cuda.max_memory_allocated() / 1e6 if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)


def build_stepper(bench: Bench, versions: Versions, version: str, precision: str) -> Stepper:
    """One version, with the optimiser that it would have."""
    return Stepper(bench, versions[version], precision, fused=version.startswith("ours"))


def measure(bench: Bench, name: str, combination: str, precision: str, pairs: int, steps: int) -> dict:
    """Everything about one comparison. `ratio` is ours compiled against the peer as it is; the others stand beside it."""
    versions = versions_of(bench)[name]
    difference = compare_losses(versions)
    steppers = {k: build_stepper(bench, versions, k, precision) for k in versions}
    first = {k: round(warm_up(stepper), 1) for k, stepper in steppers.items()}
    seconds = time_versions(steppers, pairs, steps, name)
    operations = [count_operations(bench, versions[k], precision) for k in ("ours", "peer")]
    return summarise(seconds["ours_compiled"], seconds["peer"]) | {
        "not_compiled": summarise(seconds["ours"], seconds["peer"]),
        "both_compiled": summarise(seconds["ours_compiled"], seconds["peer_compiled"]),
        "seconds_a_step": {k: round(statistics.median(own), 4) for k, own in seconds.items()},
        "first_step_seconds": first,
        "step_gflop": [round(n / 1e9, 1) for n in operations],
        "expected_ratio": round(operations[1] / operations[0], 3),
        "loss_difference": float(np.float32(difference)),
        "peak_mb": {k: round(measure_memory(combination, name, k)) for k in versions},
    }


def main(
    combination: Annotated[str, typer.Argument(help="whose pictures")] = "toys",
    pairs: Annotated[int, typer.Option(help="alternating pairs of each comparison")] = 7,
    steps: Annotated[int, typer.Option(help="steps of each measurement")] = 15,
    memory_of: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Time our training step against its peers on a quiet machine."""
    quieten_libraries()
    if memory_of:
        say_memory(combination, memory_of)
        return
    precision = load_params().finetune.mixed_precision
    bench = open_bench(combination)
    figures = {name: measure(bench, name, combination, precision, pairs, steps) for name in versions_of(bench)}
    figures["matmul_share"] = measure_matmul_share(bench, precision, figures["train_vs_literal"]["seconds_a_step"]["ours_compiled"])
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    typer.run(main)
