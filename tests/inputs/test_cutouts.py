"""Cut-outs and empty places of drawn scenes, whose toys, places and outlines are known."""

import numpy as np
import pytest

from vd_core.inputs.cutouts import cut_out, empty_place, fill_holes, find_outline, place_behind, recolor
from vd_core.toybox.world.draw import SIZE, draw_frame, draw_scene, paint_background
from vd_core.toybox.world.scenes import Scene, Toy


def scene(x: float = 0.5, place: str = "beach") -> Scene:
    return Scene((Toy("bear", "red", "yellow", "plain", x=x, ground=0.8, size=0.4),), place, seed=3)


def without_toys(place: str) -> np.ndarray:
    empty = Scene((), place, seed=3)
    return draw_frame(empty, 0.0, paint_background(empty))[0]


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean())


@pytest.mark.parametrize("place", ["beach", "snow"])
def test_a_place_without_its_toy_is_the_place(place: str) -> None:
    picture, boxes = draw_scene(scene(place=place))
    truth = without_toys(place)
    assert difference(empty_place(picture, boxes), truth) < 0.3 * difference(picture, truth)


def test_the_place_behind_a_moving_toy_is_what_it_uncovers() -> None:
    clip, boxes = zip(*[draw_scene(scene(x)) for x in np.linspace(0.2, 0.8, 8)], strict=True)
    assert difference(place_behind(np.stack(clip), list(boxes)), without_toys("beach")) < 0.5


def test_a_toys_outline_is_where_it_was_drawn() -> None:
    picture, boxes = draw_scene(scene())
    truth = without_toys("beach")
    drawn = np.abs(picture.astype(int) - truth).max(-1) > 25
    drawn[int(boxes[0, 3]) + 1 :] = False  # the shadow
    found = find_outline(picture, boxes, truth)[..., 0] > 0.5
    assert (found & drawn).sum() / (found | drawn).sum() > 0.75


def test_a_cut_out_has_the_toys_colors_and_holes_around_it() -> None:
    picture, boxes = draw_scene(scene())
    actor = cut_out(picture, boxes[0])
    assert actor.shape[2] == 4 and actor.shape[0] < SIZE
    inside = actor[actor[..., 3] > 200][:, :3].mean(0)
    assert inside[0] > 180 and inside[2] < 90  # red and yellow
    assert 0.2 < (actor[..., 3] > 128).mean() < 0.9


def test_nothing_to_cut_is_cut() -> None:
    place = without_toys("snow")
    assert find_outline(place, np.array([[10, 10, 30, 30]]), place).max() == 0


def test_other_colors_are_one_draw_for_all_frames() -> None:
    clip = np.stack([draw_scene(scene(x))[0] for x in (0.3, 0.6)])
    changed = recolor(clip, np.random.default_rng(1))
    assert changed.shape == clip.shape and difference(changed, clip) > 20
    assert np.array_equal(changed, recolor(clip, np.random.default_rng(1)))
    assert np.array_equal(changed[0, 0], recolor(clip, np.random.default_rng(1))[1, 0])  # the sky, alike in both frames


def test_what_is_cut_out_has_no_holes() -> None:
    """A cat's eyes had the color of the wall behind it."""
    cutout = np.full((20, 20, 4), 90, np.uint8)
    cutout[..., 3] = 0
    cutout[4:16, 4:16, 3] = 255
    cutout[8:11, 8:11, 3] = 0
    filled = fill_holes(cutout)
    assert (filled[4:16, 4:16, 3] == 255).all() and filled[..., 3].sum() == 144 * 255 and (filled[..., :3] == 90).all()


@pytest.mark.parametrize(("kind", "place"), [("bunny", "city"), ("cat", "space")])
def test_a_toys_dark_stripes_are_kept_where_its_place_is_known(kind: str, place: str) -> None:
    """GrabCut alone takes them for the dark place behind them, which is half of the toy."""
    toy = Toy(kind, "brown", "white", "striped", x=0.5, ground=0.85, size=0.5)
    picture, boxes = draw_scene(Scene((toy,), place, seed=3))
    truth = without_toys(place)
    drawn = np.abs(picture.astype(int) - truth).max(-1) > 40
    drawn[int(boxes[0, 3]) + 1 :] = False  # the shadow
    guessed, known = (find_outline(picture, boxes, truth, known)[..., 0] > 0.5 for known in (False, True))
    assert (guessed & drawn).sum() / drawn.sum() < 0.6
    assert (known & drawn).sum() / drawn.sum() > 0.9
    assert (known & drawn).sum() / (known | drawn).sum() > 0.8
