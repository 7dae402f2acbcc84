"""What toys wear, read from drawings whose answer is known."""

from itertools import product

import numpy as np
import pytest
from PIL import Image

from tests.helpers.imports import ROOT
from vd_core.studies.toys import Jury, load_jury
from vd_core.toybox.reading.accessories import WORN, read_worn, wears_alone
from vd_core.toybox.world.draw import draw_scene, paint_background
from vd_core.toybox.world.scenes import KINDS, Scene, Toy


@pytest.fixture(scope="module")
def jury() -> Jury:
    return load_jury(ROOT / "models/toybox")


def test_what_a_drawn_toy_wears_is_read(jury: Jury) -> None:
    right = []
    for i, (kind, worn) in enumerate(product(KINDS, WORN)):
        toy = Toy(kind, "green", "white", "spotted", worn, x=0.5, ground=0.88, size=0.5)
        picture = Image.fromarray(draw_scene(Scene((toy,), "snow" if i % 2 else "city", 40 + i))[0])
        right.append(read_worn(jury.judges, jury.reader, jury.accessories, picture)[:1] == [(kind, worn)])
    assert np.mean(right) > 0.9


def test_an_empty_picture_shows_nobody(jury: Jury) -> None:
    empty = Image.fromarray(paint_background(Scene((), "snow", 3)))
    assert read_worn(jury.judges, jury.reader, jury.accessories, empty.resize((64, 64))) == []


@pytest.mark.parametrize(
    ("found", "alone"),
    [
        ([("dog", "hat"), ("cat", None)], True),
        ([("dog", "hat"), ("cat", "hat")], False),
        ([("dog", "hat"), ("cat", "bow")], False),
        ([("dog", "bow"), ("cat", None)], False),
        ([("dog", None), ("cat", "hat")], False),
        ([("dog", None), ("cat", None)], False),
        ([("dog", "hat")], False),
        ([("dog", "hat"), ("dog", None), ("cat", None)], False),
        ([], False),
    ],
)
def test_only_the_right_toy_may_wear_it(found: list, alone: bool) -> None:
    assert wears_alone(found, ["dog", "cat"], "dog", "hat") == alone
