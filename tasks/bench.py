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
from vd_core.speed import Bench, LossOf, Stepper, build_bench, pairs_to_time

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


def check_agreement(bench: Bench) -> dict[str, float]:
    """The largest relative difference of the two versions' losses in float32, over three steps."""
    worst = {}
    for name, versions in pairs_to_time(bench).items():
        losses = [[v(torch.Generator().manual_seed(s)).item() for s in range(3)] for v in versions]
        worst[name] = max(abs(a - b) / abs(b) for a, b in zip(*losses, strict=True))
    return worst


def time_pair(bench: Bench, versions: tuple, precision: str, pairs: int, steps: int, name: str) -> list[tuple[float, float]]:
    """Seconds a step of (ours, the peer's), `pairs` times, alternating; each warmed up before."""
    steppers = [Stepper(bench, v, precision) for v in versions]
    for stepper in steppers:
        for seed in range(3):
            stepper.step(seed)
    measured = []
    for pair in tqdm(range(pairs), name):
        seconds = []
        for stepper in steppers:
            start = time.perf_counter()
            for seed in range(steps):
                stepper.step(pair * steps + seed)
            seconds.append((time.perf_counter() - start) / steps)
        measured.append((seconds[0], seconds[1]))
    return measured


def summarise(measured: list[tuple[float, float]]) -> dict:
    """The median of the pairs' ratios (how many times faster ours is), their number and spread."""
    ratios = [peer / ours for ours, peer in measured]
    return {
        "ratio": round(statistics.median(ratios), 3),
        "pairs": len(ratios),
        "spread": [round(min(ratios), 3), round(max(ratios), 3)],
        "seconds_a_step": [round(statistics.median(s), 4) for s in zip(*measured, strict=True)],
    }


def count_operations(bench: Bench, loss_of: LossOf, precision: str) -> int:
    """Floating-point operations of one step's matrix products and convolutions, there and back."""
    with FlopCounterMode(display=False) as counter:
        Stepper(bench, loss_of, precision).step(0)
    return counter.get_total_flops()


def measure_matmul_share(bench: Bench, precision: str, seconds: float) -> dict:
    """The floating-point operations of our step per second, as a share of what this machine's bfloat16 matmul reaches."""
    step = count_operations(bench, pairs_to_time(bench)["train_vs_literal"][0], precision)
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


def measure_memory(combination: str, figure: str, version: int) -> float:
    """Peak megabytes of a process of its own that takes five steps with one version."""
    command = [sys.executable, "-m", "tasks.bench", combination, "--memory-of", f"{figure}:{version}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    return float(done.stdout.split()[-1])


def say_memory(combination: str, which: str) -> None:
    """Take five steps and print this process's peak memory in megabytes."""
    figure, version = which.split(":")
    bench = open_bench(combination)
    stepper = Stepper(bench, pairs_to_time(bench)[figure][int(version)], load_params().finetune.mixed_precision)
    for seed in range(5):
        stepper.step(seed)
    on_gpu = bench.base.device.type == "cuda"
    print(torch.cuda.max_memory_allocated() / 1e6 if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)


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
    agreement = check_agreement(bench)
    figures: dict[str, dict] = {}
    for name, versions in pairs_to_time(bench).items():
        measured = time_pair(bench, versions, precision, pairs, steps, name)
        operations = [count_operations(bench, v, precision) for v in versions]
        counted = {"step_gflop": [round(n / 1e9, 1) for n in operations], "expected_ratio": round(operations[1] / operations[0], 3)}
        memory = [round(measure_memory(combination, name, v)) for v in range(2)]
        figures[name] = summarise(measured) | counted | {"loss_difference": float(np.float32(agreement[name])), "peak_mb": memory}
    figures["matmul_share"] = measure_matmul_share(bench, precision, figures["train_vs_literal"]["seconds_a_step"][0])
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    typer.run(main)
