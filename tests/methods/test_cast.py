"""What a base draws for the copies of a clip, with a finder whose findings are played."""

import numpy as np
import pytest

from vd_core.bases.stable_diffusion import Base
from vd_core.inputs.cutouts import Find
from vd_core.methods.cast import draw_cast, show_cast
from vd_core.settings import Sampling

SAMPLING = Sampling(4, 3.0)
BOX = np.array([[4.0, 4.0, 20.0, 24.0]])
NOTHING = np.zeros((0, 4))


def play(of_noun: list[np.ndarray], of_all: np.ndarray = BOX, left: np.ndarray = NOTHING) -> Find:
    """A finder that finds in each picture in turn a noun's boxes, then everything's, then what is left."""
    answers = iter([answer for boxes in of_noun for answer in ([boxes, of_all, left] if len(boxes) == 1 else [boxes])])
    return lambda picture, noun: next(answers)


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_pictures_of_one_thing_give_it_and_its_place(base: Base) -> None:
    find = play([BOX, BOX, NOTHING, np.repeat(BOX, 2, 0), BOX])
    cast = draw_cast(base, find, ["dog"], ("in the snow", "on the beach"), 5, SAMPLING, seed=1)
    assert len(cast.actors["dog"]) == 3  # neither the picture without a dog nor that of two
    assert {place: len(pictures) for place, pictures in cast.places.items()} == {"in the snow": 2, "on the beach": 1}
    assert cast.actors["dog"][0].shape[2] == 4 and cast.places["in the snow"][0].shape == (base.resolution, base.resolution, 3)
    assert [len(row) for row in show_cast(cast, 32)] == [3, 2, 1]


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_a_place_where_something_still_stands_is_none(base: Base) -> None:
    cast = draw_cast(base, play([BOX], left=BOX), ["dog"], ("in the snow",), 1, SAMPLING, seed=1)
    assert len(cast.actors["dog"]) == 1 and cast.places == {}


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_a_base_whose_things_are_not_found_has_no_cast(base: Base) -> None:
    cast = draw_cast(base, play([NOTHING] * 2), ["dog"], ("in the snow",), 2, SAMPLING, seed=1)
    assert (cast.actors, cast.places, show_cast(cast, 32)) == ({}, {}, [])
