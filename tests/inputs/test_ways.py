"""Where subjects' own words send them."""

import numpy as np
import pytest

from vd_core.generation.layouts import place_automatically
from vd_core.inputs.scenes import Layout, read_scene
from vd_core.inputs.subjects import Subject
from vd_core.inputs.ways import find_path, lead_by_words, says_a_way

SUBJECTS = [Subject("dog", "dog", "sks", None), Subject("cat", "cat", "krk", None)]
FRAMES = 16


def lead(dog: str, cat: str) -> dict[str, np.ndarray]:
    """Each one's boxes, `[f, 4]`; they are named in another order than the subjects' own."""
    scene = lead_by_words(
        read_scene({"scene": "in the snow", "subjects": {"cat": cat, "dog": dog}}), SUBJECTS, place_automatically(2), FRAMES
    )
    layout: Layout | None = scene.layout
    assert layout is not None and scene.actions == {"cat": cat, "dog": dog} and scene.led == {"cat", "dog"}
    return {name: np.array(boxes) for name, boxes in layout.items()}


def middle(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


@pytest.mark.parametrize(
    ("action", "right", "down"),
    [
        ("is sliding to the left", -1, 0),
        ("runs from the left to the right", 1, 0),
        ("is flying upwards", 0, -1),
        ("is riding a bike towards the right", 1, 0),
        ("jumps to the left", -1, 0),
    ],
)
def test_it_goes_where_the_words_say(action: str, right: int, down: int) -> None:
    path = find_path(action, 8)  # a jump lasts so long
    assert path is not None and path.shape == (8, 3)
    went = path[-1, :2] - path[0, :2]
    assert np.sign(went[0].round(2)) == right and (np.sign(went[1].round(2)) == down or action.startswith("jumps"))


@pytest.mark.parametrize("action", ["", "is surfing", "looks to the left", "is walking on the left", "waves its left paw", "with a hat"])
def test_other_words_lead_nobody(action: str) -> None:
    assert find_path(action, 8) is None


def test_each_goes_its_own_way_and_stays_in_the_picture() -> None:
    gone = lead("is jumping", "is sliding to the left")
    assert (gone["dog"][:, 2] <= gone["cat"][0, 0] + 0.2).all() and gone["dog"][0, 0] < gone["cat"][0, 0]
    assert np.ptp(gone["dog"][:, 3]) == pytest.approx(0.2, abs=0.01) and np.ptp(middle(gone["dog"])[:, 0]) == pytest.approx(0, abs=1e-9)
    assert (np.diff(middle(gone["cat"])[:, 0]) < 0).all() and np.ptp(gone["cat"][:, 3]) == pytest.approx(0, abs=1e-9)
    for boxes in gone.values():
        assert boxes.min() >= 0 and boxes.max() <= 1
        sizes = boxes[:, 2:] - boxes[:, :2]
        np.testing.assert_allclose(sizes, sizes[:1].repeat(FRAMES, 0), atol=1e-9)  # nobody is cut off at the edge


def test_what_grows_stands_on_its_ground_and_what_shakes_is_back_at_once() -> None:
    gone = lead("is growing", "is shaking")
    heights = gone["dog"][:, 3] - gone["dog"][:, 1]
    assert heights[-1] == pytest.approx(2 * heights[0]) and np.ptp(gone["dog"][:, 3]) == pytest.approx(0, abs=1e-9)
    moved = np.sign(np.diff(middle(gone["cat"])[:, 0]))
    assert (np.diff(moved) != 0).sum() >= 6


def test_words_of_all_lead_those_who_have_none_of_their_own() -> None:
    scene = read_scene({"scene": "are sliding to the right", "subjects": {"dog": "", "cat": "is sliding to the left"}})
    assert says_a_way(scene)
    gone = lead_by_words(scene, SUBJECTS, place_automatically(2), FRAMES).layout
    assert gone is not None and gone["dog"][-1][0] > gone["dog"][0][0] and gone["cat"][-1][0] < gone["cat"][0][0]
    assert not says_a_way(read_scene({"scene": "on a jumping castle", "subjects": {"dog": "", "cat": ""}}))


def test_a_layout_that_is_given_is_obeyed() -> None:
    subjects = {"dog": "is jumping", "cat": ""}
    given = {"scene": "", "subjects": subjects, "layout": {"dog": [0, 0, 0.5, 1], "cat": [0.5, 0, 1, 1]}}
    assert says_a_way(read_scene({"scene": "", "subjects": subjects})) and not says_a_way(read_scene(given))
    assert not says_a_way(read_scene("in the snow")) and not says_a_way(read_scene({"scene": "", "subjects": {"dog": "", "cat": ""}}))
