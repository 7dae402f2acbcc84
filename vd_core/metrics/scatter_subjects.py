"""Pictures of a combination's subjects cut out, as the judges find them (`mix.cutouts`)."""

import numpy as np
from PIL import Image

from vd_core.errors import InputError
from vd_core.inputs.scattering import Pieces, Scattered, scatter, take_apart
from vd_core.inputs.subjects import Subject
from vd_core.metrics.find_subject import find_subject
from vd_core.metrics.judges import Judges
from vd_core.seeds import seed_for


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
