"""`make quality`: how well the embedded base and its judges do, on seeds that no training saw."""

from collections.abc import Callable, Iterator
from pathlib import Path

from tqdm import tqdm

from vd_core.toybox.quality.drawing import measure_crowds, measure_drawing
from vd_core.toybox.quality.measured import Subjects, load_subjects_of_measurement
from vd_core.toybox.quality.motion import measure_motion, measure_own_motion
from vd_core.toybox.quality.networks import measure_autoencoder, measure_clip, measure_judges


def measure_size(s: Subjects) -> Iterator[tuple[str, dict]]:
    """Megabytes of the folder."""
    size = sum(p.stat().st_size for p in s.folder.rglob("*.safetensors")) / 1e6
    yield "megabytes", {"value": round(size, 2), "n": 1, "ci95": [round(size, 2)] * 2}


MEASURES: dict[str, Callable[[Subjects], Iterator[tuple[str, dict]]]] = {
    "size": measure_size,
    "autoencoder": measure_autoencoder,
    "clip": measure_clip,
    "judges": measure_judges,
    "drawing": measure_drawing,
    "crowds": measure_crowds,
    "motion": measure_motion,
    "own_motion": measure_own_motion,
}


def measure_quality(folder: Path, parts: list[str]) -> dict[str, dict]:
    """Every figure of some of MEASURES, under its key."""
    subjects = load_subjects_of_measurement(folder)
    return {key: value for part in tqdm(parts, "quality") for key, value in MEASURES[part](subjects)}
