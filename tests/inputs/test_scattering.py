"""Subjects cut out and scattered: whole, apart, where their boxes say, before a place that was theirs."""

import numpy as np
import pytest

from vd_core.inputs.scattering import OVERLAP, Pieces, most_hidden, place_apart, place_without, scatter, take_apart
from vd_core.toybox.world.draw import SIZE, draw_scene
from vd_core.toybox.world.scenes import Scene, Toy


def toy(kind: str, color: str, place: str) -> tuple[np.ndarray, np.ndarray]:
    """A picture of one toy and its box."""
    picture, boxes = draw_scene(Scene((Toy(kind, color, color, "plain", x=0.5, ground=0.8, size=0.4),), place, seed=3))
    return picture, boxes[0]


def pieces_of(*toys: tuple[str, str, str]) -> list[Pieces]:
    taken = []
    for own in toys:
        picture, box = toy(*own)
        taken.append(take_apart([picture], [box]))
    return taken


def reddish(picture: np.ndarray) -> np.ndarray:
    red, green, blue = picture.astype(int).transpose(2, 0, 1)
    return (red > green + 60) & (red > blue + 60)


def bluish(picture: np.ndarray) -> np.ndarray:
    red, green, blue = picture.astype(int).transpose(2, 0, 1)
    return (blue > red + 60) & (blue > green + 30)


@pytest.mark.parametrize("seed", range(4))
def test_each_subject_is_in_its_box_and_nowhere_else(seed: int) -> None:
    made = scatter(pieces_of(("bear", "red", "snow"), ("car", "blue", "snow")), np.random.default_rng(seed), SIZE)
    for (x1, y1, x2, y2), shows in zip(made.boxes, (reddish, bluish), strict=True):
        where = shows(made.picture)
        left, top, right, bottom = (round(SIZE * v) for v in (x1, y1, x2, y2))
        assert 0 <= left < right <= SIZE and 0 <= top < bottom <= SIZE
        inside = where[top:bottom, left:right]
        assert inside.mean() > 0.15 and where.sum() - inside.sum() <= 0.02 * where.size


def test_the_background_is_one_of_theirs() -> None:
    empty, _ = draw_scene(Scene((), "snow", seed=3))
    made = scatter(pieces_of(("bear", "red", "snow")), np.random.default_rng(0), SIZE)
    x1, y1, x2, y2 = (round(SIZE * v) for v in made.boxes[0])
    outside = np.ones((SIZE, SIZE), bool)
    outside[y1:y2, x1:x2] = False
    assert np.abs(made.picture[outside].astype(int) - empty[outside]).mean() < 6


def test_a_photographs_hole_is_filled_with_the_colors_around_and_the_rest_stays() -> None:
    side = 256
    picture = np.tile(np.linspace(90, 160, side)[:, None, None], (1, side, 3)).astype(np.uint8)
    truth = picture.copy()
    picture[80:200, 90:170] = (250, 0, 0)
    filled = place_without(picture, np.array([90.0, 80.0, 170.0, 200.0]))
    assert np.abs(filled.astype(int) - truth).max() < 25 and not reddish(filled).any()
    assert (filled[:, :40] == picture[:, :40]).all()


def test_a_subject_that_fills_its_pictures_has_a_background_that_shows_nothing() -> None:
    whole = np.tile(np.uint8([[[200, 30, 30]], [[30, 30, 200]]]), (SIZE // 2, SIZE, 1))
    pieces = take_apart([whole], [np.array([0.0, 0.0, SIZE, SIZE])])
    assert pieces.places == []
    scattered = scatter([pieces], np.random.default_rng(0), SIZE)
    assert scattered.picture.shape == (SIZE, SIZE, 3) and len(scattered.boxes) == 1


def test_pictures_without_a_box_are_left_out() -> None:
    picture, box = toy("bear", "red", "snow")
    pieces = take_apart([picture, picture], [None, box])
    assert len(pieces.cutouts) == len(pieces.places) == 1


@pytest.mark.parametrize("count", [2, 4, 6])
def test_many_find_room_and_hardly_hide_one_another(count: int) -> None:
    rng = np.random.default_rng(count)
    boxes = place_apart(np.array([[40, 30]] * count), np.full(count, 0.8 * 64), 64, rng)  # too large at first
    assert most_hidden(boxes) <= OVERLAP
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= 64).all() and (boxes[:, 2:] > boxes[:, :2]).all()


def test_overlap_is_of_the_smaller_one() -> None:
    assert most_hidden(np.array([[0, 0, 10, 10], [5, 0, 7, 10], [20, 20, 30, 30]])) == 1.0
    assert most_hidden(np.array([[0, 0, 10, 10], [9, 0, 19, 10]])) == pytest.approx(0.1)


def test_the_same_seed_draws_the_same_picture() -> None:
    pieces = pieces_of(("bear", "red", "snow"), ("car", "blue", "city"))
    first, again, other = (scatter(pieces, np.random.default_rng(seed), SIZE) for seed in (5, 5, 6))
    assert (first.picture == again.picture).all() and first.boxes == again.boxes != other.boxes
