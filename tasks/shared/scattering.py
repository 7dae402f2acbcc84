"""Pictures of a combination's subjects cut out (`mix.cutouts`), as the mix stage writes them and finetuning reads them."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from vd_core.errors import InputError
from vd_core.files import write_json
from vd_core.inputs.pictures import load_numbered
from vd_core.inputs.scattering import Pieces, Scattered, scatter, take_apart
from vd_core.inputs.subjects import Subject
from vd_core.metrics.find_subject import find_subject
from vd_core.metrics.judges import Judges
from vd_core.seeds import seed_for

BOXES = "boxes.json"


def scatter_pictures(
    judges: Judges, subjects: list[Subject], pictures: list[list[Image.Image]], count: int, seed: int, resolution: int
) -> list[Scattered]:
    """`count` pictures of all subjects; InputError if one is found in none of its pictures."""
    pieces = [take_subject_apart(judges, s, own) for s, own in zip(subjects, pictures, strict=True)] if count else []
    return [scatter(pieces, np.random.default_rng(seed_for("cut-outs", seed, i)), resolution) for i in range(count)]


def take_subject_apart(judges: Judges, subject: Subject, pictures: list[Image.Image]) -> Pieces:
    """One subject's cut-outs and backgrounds."""
    boxes = [find_subject(judges, picture, subject.class_noun) for picture in pictures]
    if not any(boxes):
        raise InputError(f"{subject.folder}: no {subject.class_noun} is found in any picture, so none can be cut out; set mix.cutouts to 0")
    return take_apart([np.array(p) for p in pictures], [np.array(box) if box else None for box in boxes])


def write_scattered(scattered: list[Scattered], folder: Path) -> None:
    """Numbered PNGs and the boxes."""
    folder.mkdir(parents=True)
    for i, own in enumerate(scattered):
        Image.fromarray(own.picture).save(folder / f"{i:03d}.png")
    write_json(folder / BOXES, [own.boxes for own in scattered])


def read_scattered(folder: Path) -> list[Scattered]:
    """What `write_scattered` wrote."""
    boxes = json.loads((folder / BOXES).read_text())
    pictures = [np.array(p) for p in load_numbered(folder)]
    return [Scattered(p, tuple(tuple(box) for box in own)) for p, own in zip(pictures, boxes, strict=True)]
