"""What a run finds on this machine: Python, device, disk, Prefect's server."""

import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import torch
from huggingface_hub import constants

from tasks.checks.finding import Finding
from tasks.shared.params import Merged
from vd_core.bases.device import gpu_is_usable
from vd_core.hub import SECONDS, Located, Reply, ask_together

GIB = 2**30
MEASURED = Path("metrics/fullsize.json")
LARGE = GIB  # bytes of a U-Net from which a CPU takes hours; the embedded base's has 25 MB, Stable Diffusion 1.5's 3.4 GB
DRIVER_SECONDS = 20.0  # a driver that sleeps takes some to answer
LOW_DISK = 5 * GIB  # what a run of a few thousand pictures and frames may leave; a guess on the safe side


def check_python() -> Finding:
    """The Python that runs this."""
    version = sys.version_info
    suits = (3, 11) <= version[:2] < (3, 14)
    return Finding("Python", "ok" if suits else "warning", f"{version[0]}.{version[1]}" + ("" if suits else "; 3.11 to 3.13 are supported"))


def check_device(merged: Merged, unet: int | None) -> Finding:
    """The device against the settings, the measured need of memory, and a U-Net of `unet` bytes."""
    count, large = count_gpus(), unet is not None and unet > LARGE
    if merged.device != "cpu" and not count and (unusable := name_unusable_gpu()):
        said = f"{unusable} cannot be used by this PyTorch (CUDA {torch.version.cuda}): README, Hardware; device: cpu computes without it"
        return Finding("device", "stops" if large or merged.device == "cuda" else "warning", said)
    if merged.device == "cuda" and not count:
        return Finding("device", "stops", "params.yaml: device is cuda, but torch sees no GPU; set it to auto or cpu")
    if merged.device == "cpu" or not count:
        return Finding("device", "warning" if large else "ok", "CPU" + "; a full-size base takes hours on it (README, Hardware)" * large)
    if merged.processes > count:
        return Finding("device", "stops", f"params.yaml: processes is {merged.processes}, but torch sees {count} GPUs; lower it")
    return check_memory(merged, torch.cuda.get_device_name(0), torch.cuda.mem_get_info(0)[0] / GIB)


def count_gpus() -> int:
    """How many GPUs can be used. `device_count` alone counts those too whose driver is too old for this PyTorch, or that it was not built for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.cuda.device_count() if gpu_is_usable() else 0


def name_unusable_gpu() -> str | None:
    """The name and driver of the first GPU that nvidia-smi lists, where PyTorch can use none; None if there is none."""
    command = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=DRIVER_SECONDS, check=True).stdout.split("\n")[0]
    except (OSError, subprocess.SubprocessError):
        return None
    name, _, driver = listed.rpartition(",")
    return f"{name.strip()} (driver {driver.strip()})" if name else None


def check_memory(merged: Merged, name: str, free: float) -> Finding:
    """A GPU's `free` GiB against what was measured of each stage that runs."""
    needs, device = read_needs(merged)
    has = f"{name}, {free:.1f} GiB free; need of memory: "
    if not needs:
        return Finding("device", "ok", has + "not measured")
    stage, need = max(needs.items(), key=lambda item: item[1])
    measured = has + f"{need:.1f} GiB for {stage}, measured on {device}" + ", where nothing is in 16 bits" * device.startswith("CPU")
    if need <= free:
        return Finding("device", "ok", measured)
    return Finding("device", "warning", measured + "; see README, Hardware and 'Out of memory?'")


def read_needs(merged: Merged) -> tuple[dict[str, float], str]:
    """The measured GiB of memory by stage of those that run, and the device of MEASURED; none if it is not there."""
    try:
        report = json.loads(MEASURED.read_text())
        figures = report["bases"][merged.base]
        needs = {stage: own["gigabytes"] * 1e9 / GIB for stage, own in figures.items() if stage != "motion" or merged.learned_motion}
        return needs, str(report["device"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}, ""


def check_disk(located: list[Located]) -> Finding:
    """Free disk against what will be fetched."""
    fetched = sum(place.size or 0 for place in located if place.state == "to fetch")
    cache = next(p for p in [Path(constants.HF_HUB_CACHE), *Path(constants.HF_HUB_CACHE).parents] if p.exists())
    free, free_cache = shutil.disk_usage(Path()).free, shutil.disk_usage(cache).free
    if fetched > free_cache:
        said = f"{size_in_words(fetched)} are to be fetched, {size_in_words(free_cache)} are free in {cache}; make room or set HF_HOME"
        return Finding("disk", "stops", said)
    low = free < LOW_DISK
    return Finding("disk", "warning" if low else "ok", f"{size_in_words(free)} free" + "; make room" * low)


def check_server() -> list[Finding]:
    """The Prefect server of PREFECT_API_URL, if that is set."""
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        return []
    reply = ask_together([health(url)])[0]
    if isinstance(reply, str):
        return [Finding("Prefect", "warning", f"no server answers at {url}; start one with 'make serve', or unset PREFECT_API_URL")]
    return [Finding("Prefect", "ok", f"a server answers at {url}")]


def health(url: str) -> Callable[[], Reply]:
    """The question whether a Prefect server is well."""

    def ask() -> Reply:
        try:
            with urlopen(f"{url}/health", timeout=SECONDS):
                return {}
        except (OSError, ValueError) as error:
            return type(error).__name__

    return ask


def size_in_words(size: int) -> str:
    """Bytes as a person reads them."""
    for factor, unit in ((1e9, "GB"), (1e6, "MB")):
        if size >= factor / 10:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1e3:.1f} kB"
