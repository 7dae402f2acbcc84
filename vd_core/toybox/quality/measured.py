"""What `make quality` measures, and how a figure of it is written down."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.generation.pictures import generate_pictures
from vd_core.metrics.intervals import with_interval
from vd_core.metrics.judges import Judges, load_local_judges
from vd_core.toybox.reading.accessories import AccessoryReader, load_accessory_reader
from vd_core.toybox.reading.reader import AttributeReader, load_reader, read_picture
from vd_core.toybox.world.scenes import COLOURS, KINDS

SEED = 1_000_000_000
STEPS, GUIDANCE = 25, 5.0


@dataclass(frozen=True)
class Subjects:
    """What is measured: the base, its public judges, and the readers."""

    base: Base
    judges: Judges
    reader: AttributeReader
    accessories: AccessoryReader
    folder: Path


def figure(samples: list[float] | np.ndarray) -> dict:
    """A mean as `value`, with `n` and the 95% bootstrap interval `ci95`."""
    values = np.asarray(samples, dtype=float)
    draws = np.random.default_rng(0).choice(values, (1000, len(values))).mean(axis=1)
    return with_interval(values.mean(), draws, len(values))


def load_subjects_of_measurement(folder: Path) -> Subjects:
    """The base in `folder` with its judges and reader."""
    judges, cpu = folder / "judges", torch.device("cpu")
    return Subjects(
        load_base(folder_source(folder), cpu), load_local_judges(judges, cpu), load_reader(judges), load_accessory_reader(judges), folder
    )


def to_unit_array(pictures: np.ndarray) -> torch.Tensor:
    """uint8 `[b, h, w, 3]` to float32 `[b, 3, h, w]` in 0..1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


def choose_toys(rng: np.random.Generator, count: int) -> list[tuple[str, str]]:
    """The colors and kinds of `count` toys, all different."""
    kinds, colours = rng.choice(KINDS, count, replace=False), rng.choice(list(COLOURS), count, replace=False)
    return [(str(c), str(k)) for c, k in zip(colours, kinds, strict=True)]


def draw(s: Subjects, prompts: list[str], seed: int) -> list[Image.Image]:
    """One picture a prompt by the base."""
    return generate_pictures(s.base, prompts, [seed + i for i in range(len(prompts))], STEPS, GUIDANCE)


def read_largest(s: Subjects, picture: Image.Image) -> dict[str, str] | None:
    """The highest-scoring toy's attributes, or None if none is found."""
    found = read_picture(s.judges, s.reader, picture)
    return found[0] if found else None
