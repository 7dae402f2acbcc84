"""What the studies of the drawn world share: who reads the pictures, the subjects' own pictures, and D_mix of them."""

from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from vd_core.inputs.mixing import draw_mixtures, mix_pictures
from vd_core.inputs.subjects import Subject
from vd_core.metrics.fidelity import SubjectReference, refer_to
from vd_core.metrics.judges import Judges, load_local_judges
from vd_core.metrics.report import to_unit
from vd_core.toybox.reading.accessories import AccessoryReader, load_accessory_reader
from vd_core.toybox.reading.reader import AttributeReader, load_reader
from vd_core.toybox.world.demo import SEED, draw_subject
from vd_core.toybox.world.scenes import RARE_WORDS

SUBJECT_OFFSET = 10_000
Toys = dict[str, tuple[str, str, str]]
"""Kinds and their looks: color, second color, pattern."""


@dataclass(frozen=True)
class Jury:
    """Everyone who reads a picture: the public judges, the attribute reader, and the reader of accessories where something asks for it."""

    judges: Judges
    reader: AttributeReader
    accessories: AccessoryReader | None = None


def load_jury(folder: Path) -> Jury:
    """The judges of the base in `folder`."""
    judges = folder / "judges"
    return Jury(load_local_judges(judges, torch.device("cpu")), load_reader(judges), load_accessory_reader(judges))


def draw_toys(toys: Toys, side: int) -> tuple[list[Subject], list[list[Image.Image]]]:
    """The subjects of a combination and five drawn pictures of each, `side` pixels wide and high."""
    subjects = [Subject(kind, kind, token, Path()) for kind, token in zip(toys, RARE_WORDS, strict=False)]
    drawn = [draw_subject(kind, identity, SEED + SUBJECT_OFFSET + 100 * s) for s, (kind, identity) in enumerate(toys.items())]
    return subjects, [[Image.fromarray(p).resize((side, side)) for p in own] for own in drawn]


def refer_to_toys(jury: Jury, toys: Toys, side: int) -> list[SubjectReference]:
    """What the toys look like to the judges, in the pictures that they are finetuned on."""
    subjects, given = draw_toys(toys, side)
    return [refer_to(jury.judges, s.class_noun, to_unit(own)) for s, own in zip(subjects, given, strict=True)]


def mix(pictures: list[list[Image.Image]], count: int, seed: int) -> list[Image.Image]:
    """D_mix of `count` pictures (Eq. 6)."""
    mixtures = draw_mixtures([len(own) for own in pictures], count, seed)
    return [mix_pictures([own[m] for own, m in zip(pictures, chosen, strict=True)], pictures[0][0].width) for chosen in mixtures]
