"""What goes beyond the paper, in pictures of two held-out toys: one of them wears something, and the other does not."""

from itertools import product
from pathlib import Path

from PIL import Image

from vd_core.bases.stable_diffusion import Base
from vd_core.generation.layouts import place_automatically
from vd_core.inputs.pictures import contact_sheet
from vd_core.inputs.scenes import Scene
from vd_core.seeds import seed_for
from vd_core.settings import Sampling
from vd_core.studies.beyond import Arm, Plan, Rows, draw_scenes, open_customised
from vd_core.studies.staged import Players
from vd_core.studies.toys import Jury, Toys
from vd_core.toybox.reading.accessories import read_worn, wears_alone
from vd_core.toybox.world.draw import draw_scene
from vd_core.toybox.world.scenes import ACCESSORIES, BACKGROUNDS, Toy
from vd_core.toybox.world.scenes import Scene as Drawing

Wearing = tuple[str, str]
"""A toy's kind, and what it wears."""


def choose_wearers(toys: Toys, count: int) -> list[Wearing]:
    """Every toy with every accessory in turn."""
    return [list(product(toys, ACCESSORIES))[i % (len(toys) * len(ACCESSORIES))] for i in range(count)]


def draw_wearers(
    base: Base, jury: Jury, players: Players, plan: Plan, arm: Arm, sampling: Sampling, wearers: list[Wearing]
) -> list[Image.Image]:
    """A picture of all subjects for each of `wearers`, who wears what it says; the same seeds for all arms."""
    subjects = players.subjects
    scenes = [
        Scene(plan.places[i % len(plan.places)], {s.name: f"with a {worn}" if s.name == wearer else "" for s in subjects}, None, False, ())
        for i, (wearer, worn) in enumerate(wearers)
    ]
    seeds = [seed_for("attribute", i) for i in range(len(scenes))]
    return draw_scenes(base, jury, players, scenes, [place_automatically(len(subjects))] * len(scenes), seeds, arm, sampling)


def read_wearers(jury: Jury, pictures: list[Image.Image], toys: Toys, wearers: list[Wearing]) -> Rows:
    """`own_attribute`: 1 if both toys are there and the right one alone wears what it should; a row a picture."""
    assert jury.accessories is not None
    found = [read_worn(jury.judges, jury.reader, jury.accessories, picture) for picture in pictures]
    return [{"own_attribute": float(wears_alone(own, list(toys), *wearing))} for own, wearing in zip(found, wearers, strict=True)]


def run_attributes(
    folder: Path, jury: Jury, toys: Toys, plan: Plan, arm: Arm, sampling: Sampling, weights: Path | None, sheet: Path
) -> Rows:
    """One arm's pictures of one pair, as a contact sheet too."""
    base, players = open_customised(folder, jury, toys, weights)
    wearers = choose_wearers(toys, plan.pictures)
    pictures = draw_wearers(base, jury, players, plan, arm, sampling, wearers)
    contact_sheet([pictures[i : i + 6] for i in range(0, len(pictures), 6)]).save(sheet, quality=90)
    return read_wearers(jury, pictures, toys, wearers)


def read_drawn_attributes(jury: Jury, toys: Toys, plan: Plan) -> Rows:
    """The same of the world's own drawings of the same toys: the ceiling."""
    wearers, pictures = choose_wearers(toys, plan.pictures), []
    for i, (wearer, worn) in enumerate(wearers):
        drawn = [
            Toy(kind, *looks, accessory=worn if kind == wearer else None, x=x, ground=0.9, size=0.45)
            for (kind, looks), x in zip(toys.items(), (0.27, 0.73), strict=True)
        ]
        place = list(BACKGROUNDS)[i % len(BACKGROUNDS)]
        pictures.append(Image.fromarray(draw_scene(Drawing(tuple(drawn), place, seed_for("wearer", i) % 2**31))[0]))
    return read_wearers(jury, pictures, toys, wearers)
