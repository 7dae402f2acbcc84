"""Alternating measurements, and what a process takes at its peak."""

import re
import resource
import statistics
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch

KIB = 1024  # bytes: what Linux counts in
STATUS, PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def summarise(ours: list[float], peer: list[float]) -> dict:
    """The median of the pairs' ratios (how many times faster ours is), their number and spread."""
    ratios = [b / a for a, b in zip(ours, peer, strict=True)]
    return {"ratio": round(statistics.median(ratios), 3), "pairs": len(ratios), "spread": [round(min(ratios), 3), round(max(ratios), 3)]}


def time_alternating(versions: dict[str, Callable[[int], object]], rounds: Iterable[int]) -> dict[str, list[float]]:
    """Seconds that each version takes in each round, whose number it is given, one version after the other."""
    seconds: dict[str, list[float]] = {name: [] for name in versions}
    for i in rounds:
        for name, version in versions.items():
            start = time.perf_counter()
            version(i)
            synchronize()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def synchronize() -> None:
    """Wait for a GPU's work to end, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def forget_peak(on_gpu: bool) -> None:
    """Let the peak start anew."""
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    elif STATUS.exists():
        PEAK.write_text("5")


def peak_megabytes(on_gpu: bool) -> float:
    """The GPU's peak, or this process's resident memory's; Linux's own count, since getrusage's starts with that of the process that started it."""
    if on_gpu:
        return torch.cuda.max_memory_allocated() / 1e6
    if STATUS.exists():
        return float(re.findall(r"VmHWM:\s+(\d+)", STATUS.read_text())[0]) * KIB / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB / 1e6
