"""What is given of a combination: its subjects, and their pictures at the base's size, drawn or photographed."""

import numpy as np
from PIL import Image

from tasks.mix import make_squares
from tasks.shared.judging import open_judges
from tasks.shared.sections import Sections
from tasks.studies.units import PHOTOGRAPHS, Subjects
from vd_core.inputs.inspecting import inspect_pictures, use_all
from vd_core.inputs.subjects import Subject
from vd_core.metrics.fidelity import SubjectReference, refer_to
from vd_core.metrics.judges import Judges
from vd_core.metrics.report import to_unit
from vd_core.studies.multistudio import DrawnSubject
from vd_core.toybox.world.demo import SEED, draw_subject

FIRST_SEED = SEED + 20_000
"""Beyond the demo's and other studies' drawings; a subject takes a hundred."""


def name_subjects(subjects: Subjects, sections: Sections) -> list[Subject]:
    """The subjects with the base's placeholder tokens in their order."""
    tokens = sections.mix.placeholder_tokens
    named = zip(subjects.items(), tokens, strict=False)
    return [Subject(name, about.class_noun, token, PHOTOGRAPHS / name) for (name, (_, about)), token in named]


def open_pictures(subjects: Subjects, sections: Sections) -> list[list[Image.Image]]:
    """Each subject's squares."""
    named = name_subjects(subjects, sections)
    drawn = [draw(number, about, sections.mix.resolution) for number, about in subjects.values() if isinstance(about, DrawnSubject)]
    if drawn:
        return drawn
    judges, paths = open_judges(sections.mix.judging, sections.mix.device, named), use_all([inspect_pictures(s.folder) for s in named])
    return [make_squares(judges, s, list(own), sections.mix) for s, own in zip(named, paths, strict=True)]


def draw(number: int, about: DrawnSubject, resolution: int) -> list[Image.Image]:
    """Five pictures of a toy, the same in every combination."""
    drawn: list[np.ndarray] = draw_subject(about.class_noun, about.looks, FIRST_SEED + 100 * number, background=about.background)
    return [Image.fromarray(p).resize((resolution, resolution)) for p in drawn]


def refer(judges: Judges, subjects: list[Subject], pictures: list[list[Image.Image]]) -> list[SubjectReference]:
    """What the subjects look like to the judges."""
    return [refer_to(judges, s.class_noun, to_unit(own)) for s, own in zip(subjects, pictures, strict=True)]
