"""What the studies do to draw every subject of their scenes alone first (docs/regions.md)."""

from collections.abc import Sequence
from dataclasses import replace

from vd_core.bases.stable_diffusion import Base
from vd_core.generation.guides import Guides
from vd_core.generation.staging import Director, Draw, embed_alone, like_any, set_stages
from vd_core.inputs.scenes import Scene
from vd_core.inputs.subjects import Subject
from vd_core.metrics.fidelity import SubjectReference
from vd_core.metrics.find_subject import alike_with, find_with
from vd_core.studies.toys import Jury


def stage_scenes(
    base: Base,
    jury: Jury,
    subjects: list[Subject],
    scenes: list[Scene],
    guides: Guides,
    draw: Draw,
    seeds: list[int],
    share: float,
    known: Sequence[SubjectReference] = (),
    takes: int = 1,
    held: bool = False,
) -> Guides:
    """The guides of scenes, one a seed, with their stages; with what is `known` of the subjects the take most alike is kept."""
    alike = alike_with(jury.judges, known) if known else like_any
    director = Director(find_with(jury.judges), subjects, share, takes, alike, held)
    return set_stages(base, director, draw, replace(guides, alone=embed_alone(base, subjects, scenes)), seeds)
