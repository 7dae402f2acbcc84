"""Subjects that were drawn alone, laid into their boxes."""

from dataclasses import replace

import numpy as np
import pytest

from vd_core.inputs.staging import Alone, find_way, follow, see_alone, set_stage, show_cut

SIDE, PLACE = 64, (90, 160, 220)
RED, GREEN = (220, 30, 30), (30, 160, 40)
BOXES = np.array([[[0.0, 0.2, 0.5, 1.0]], [[0.5, 0.2, 1.0, 1.0]]])
"""Two columns, of one frame."""


def draw(color: tuple[int, int, int], path: list[tuple[int, int, int, int]]) -> Alone:
    """A block of one color on a plain place, where its path says."""
    clip = np.full((len(path), SIDE, SIDE, 3), PLACE, np.uint8)
    for frame, (x1, y1, x2, y2) in zip(clip, path, strict=True):
        frame[y1:y2, x1:x2] = color
    seen = see_alone(clip, [np.array([box], float) for box in path])
    assert seen is not None
    return seen


def where(frame: np.ndarray, color: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """The box of what has nearly this color."""
    y, x = np.nonzero(np.abs(frame.astype(int) - color).max(-1) < 40)
    return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


def test_each_stands_in_its_own_box_before_one_place() -> None:
    red, green = draw(RED, [(20, 10, 44, 60)]), draw(GREEN, [(22, 20, 42, 60)])
    laid = set_stage([red, green], BOXES)
    stage, gone = laid.clip, laid.boxes
    left, right = where(stage[0], RED), where(stage[0], GREEN)
    assert left[0] >= 0 and left[2] <= 33 and abs((left[0] + left[2]) / 2 - 16) <= 1
    assert right[0] >= 31 and right[2] <= 64 and abs((right[0] + right[2]) / 2 - 48) <= 1
    for _, _, _, bottom in (left, right):
        assert abs(bottom - 0.97 * SIDE) <= 1.5
    assert gone == pytest.approx(BOXES, abs=0.02)
    rest = np.ones((SIDE, SIDE), bool)
    for x1, y1, x2, y2 in (left, right):
        rest[max(y1 - 2, 0) : y2 + 2, max(x1 - 2, 0) : x2 + 2] = False
    assert np.abs(stage[0][rest].astype(int) - PLACE).max() <= 2
    assert laid.hides.shape == (1, SIDE, SIDE) and laid.hides[0][rest].max() < 0.1
    assert all(laid.hides[0, y1 + 3 : y2 - 3, x1 + 3 : x2 - 3].min() > 0.99 for x1, y1, x2, y2 in (left, right))


def test_what_was_cut_out_is_shown_where_it_stood() -> None:
    """And where the outline was lost, that is seen: nothing stands there."""
    red = draw(RED, [(20, 10, 44, 60), (24, 14, 48, 62)])
    for shown, frame in zip(show_cut(red), red.clip, strict=True):
        assert where(shown, RED) == pytest.approx(where(frame, RED), abs=1)  # soft edges
    assert np.array_equal(show_cut(replace(red, clip=np.full_like(red.clip, PLACE)))[0], red.place)


def test_what_jumps_jumps_in_proportion_and_takes_its_box_along() -> None:
    heights = [60, 50, 40, 50]
    jumping = draw(RED, [(16, h - 20, 36, h) for h in heights])
    boxes = np.repeat(BOXES[:1], 4, 1)
    laid = set_stage([jumping], boxes)
    stage, gone = laid.clip, laid.boxes
    feet = np.array([where(frame, RED)[3] for frame in stage])
    scale = find_way(jumping.path, boxes[0], (SIDE, SIDE)).scales[0]
    assert scale == pytest.approx(1.2 * 32 / 20)
    assert feet[0] - feet == pytest.approx(scale * (60 - np.array(heights)), abs=1.5)
    assert (gone[0, :, 3] < 1).tolist() == [False, True, True, True]


def test_a_box_that_moves_carries_its_subject() -> None:
    still = draw(GREEN, [(24, 30, 40, 60)] * 3)
    boxes = np.array([[[0.0, 0.2, 0.4, 1.0], [0.3, 0.2, 0.7, 1.0], [0.6, 0.2, 1.0, 1.0]]])
    stage = set_stage([still], boxes).clip
    middles = [(where(frame, GREEN)[0] + where(frame, GREEN)[2]) / 2 / SIDE for frame in stage]
    assert middles == pytest.approx([0.2, 0.5, 0.8], abs=0.03)
    assert follow(boxes[0], find_way(still.path, boxes[0], (SIDE, SIDE)), (SIDE, SIDE)) == pytest.approx(boxes[0])


def test_a_frame_that_lost_its_outline_takes_its_neighbors() -> None:
    """The box is found, and what is in it has the place's own colors."""
    path = [(24, 30, 40, 60)] * 4
    red = draw(RED, path)
    clip = red.clip.copy()
    clip[2] = PLACE
    lost = see_alone(clip, [np.array([box], float) for box in path])
    stage, whole = (set_stage([own], np.repeat(BOXES[:1], 4, 1)).clip for own in (lost, red))
    assert np.array_equal(stage, whole)


def test_who_is_not_found_is_left_out() -> None:
    clip = np.zeros((3, SIDE, SIDE, 3), np.uint8)
    none, box = np.zeros((0, 4)), np.array([[10.0, 20, 30, 40], [0, 0, 5, 5]])
    assert see_alone(clip, [none] * 3) is None
    seen = see_alone(clip, [box, none, box + 10])
    assert seen is not None and seen.path.tolist() == [[10, 20, 30, 40], [15, 25, 35, 45], [20, 30, 40, 50]]
    stage = set_stage([None, draw(GREEN, [(22, 20, 42, 60)])], BOXES).clip
    assert where(stage[0], GREEN)[0] >= 31
    with pytest.raises(ValueError, match="nobody"):
        set_stage([None, None], BOXES)


def test_a_second_one_does_not_stay_in_the_place() -> None:
    """And a backdrop of which less is guessed is taken before it."""
    clip = np.full((1, SIDE, SIDE, 3), PLACE, np.uint8)
    clip[:, 20:60, 4:24] = clip[:, 30:60, 40:56] = RED
    seen = see_alone(clip, [np.array([[4.0, 20, 24, 60], [40, 30, 56, 60]])])
    assert seen is not None and np.abs(seen.place.astype(int) - PLACE).max() <= 2
    assert np.array_equal(seen.backdrop, seen.place)
    green = draw(GREEN, [(22, 20, 42, 60)])
    marked = replace(green, backdrop=np.full_like(green.place, 7))
    assert seen.suits < green.suits and set_stage([seen, marked], BOXES).clip[0, 0, 0].tolist() == [7] * 3
    assert set_stage([replace(seen, suits=0.0), marked], BOXES).clip[0, 0, 0].tolist() == list(PLACE)
