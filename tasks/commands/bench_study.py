"""How long the profile `quick` takes, what scoring costs of it, and how much faster two workers are than one: keys of metrics/bench.json."""

import json
import shutil
import subprocess
import sys
import time

from tasks.shared.paths import CACHE
from tasks.studies.plan import ProfileName
from vd_core.errors import InputError

KEYS = ("quick_profile_minutes", "scoring_share", "two_workers")
FOLDER = CACHE / "bench-studies"


def measure_study(whole: ProfileName = "quick", part: ProfileName = "sample") -> dict[str, float]:
    """Run the profile `part` with one worker and with two, each on a core of its own, and `whole` with two; every time from nothing."""
    one, two = (run_study(part, workers)["seconds"] for workers in (1, 2))
    begun = time.monotonic()
    measured = run_study(whole, 2)
    minutes = (time.monotonic() - begun) / 60
    values = (round(minutes, 1), round(measured["scoring"] / measured["rendering"], 3), round(one / two, 3))
    return dict(zip(KEYS, values, strict=True))


def run_study(profile: ProfileName, workers: int) -> dict[str, float]:
    """What the flow says of a run into an empty store; InputError if it fails."""
    store, summary = FOLDER / f"{profile}-{workers}", FOLDER / "summary.json"
    shutil.rmtree(store, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    options = ["--profile", profile, "--workers", str(workers), "--pin", "--store", str(store), "--summary", str(summary)]
    if subprocess.run([sys.executable, "-m", "flows.benchmark", "run", *options], check=False).returncode:
        raise InputError(f"the profile {profile} did not run to its end; what it printed stands above")
    return json.loads(summary.read_text())
