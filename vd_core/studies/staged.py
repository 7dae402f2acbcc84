"""What the studies do to draw every subject of their scenes alone first (docs/regions.md)."""

from dataclasses import dataclass, replace

from vd_core.bases.stable_diffusion import Base
from vd_core.generation.guides import Guides
from vd_core.generation.layouts import place_automatically
from vd_core.generation.staging import cast_alone, set_stages
from vd_core.generation.takes import Director, Draw
from vd_core.inputs.scenes import Scene
from vd_core.inputs.subjects import Subject
from vd_core.metrics.fidelity import SubjectReference
from vd_core.metrics.find_subject import alike_with, find_with, fits_with, shows_with
from vd_core.settings import Sampling
from vd_core.studies.toys import Jury, Toys, draw_toys, refer_to_toys

STAGED, TAKES, CALM = 0.3, 8, 2.0
"""`regions.staged`, `.takes` and `.guidance_scale`, as they were chosen on toys that stand in no study. Clips have one take."""


@dataclass(frozen=True)
class Players:
    """Subjects, and what they look like to the judges (nothing is known of toys in words)."""

    subjects: list[Subject]
    known: list[SubjectReference]


def play(base: Base, jury: Jury, toys: Toys) -> Players:
    """The subjects that a finetuning on drawn pictures of toys has learned."""
    return Players(draw_toys(toys, base.resolution)[0], refer_to_toys(jury, toys, base.resolution))


def calm(sampling: Sampling) -> Sampling:
    """The sampling of subjects alone, and of the steps that draw them together."""
    return replace(sampling, guidance_scale=CALM)


def stage_scenes(
    base: Base,
    jury: Jury,
    players: Players,
    scenes: list[Scene],
    guides: Guides,
    draw: Draw,
    seeds: list[int],
    takes: int = TAKES,
) -> Guides:
    """The guides of scenes, one a seed, with their stages."""
    subjects = players.subjects
    judges = jury.judges
    director = Director(
        find_with(judges), subjects, STAGED, takes, alike_with(judges, players.known), shows_with(judges), fits_with(judges)
    )
    return set_stages(base, director, draw, cast_alone(base, subjects, scenes, guides, place_automatically(len(subjects))), seeds)
