"""Copies of a clip: they go the reference's way, and look like nothing in it."""

import numpy as np
import pytest

from vd_core.inputs.copies import ACTED, MOVED, Cast, Reference, draw_copy, predicate_of, read_reference
from vd_core.inputs.tracks import for_each, keep_whole, link_boxes

SIDE, FRAMES = 64, 8
XS = np.array([12, 20, 28, 36, 44, 36, 28, 20])


def boxes_at(x: float, y: float = 30, half: float = 6) -> np.ndarray:
    return np.array([[x - half, y - half, x + half, y + half]])


def square_clip() -> tuple[np.ndarray, list[np.ndarray]]:
    """A red square before gray that goes right and back, and its boxes."""
    clip = np.full((FRAMES, SIDE, SIDE, 3), 120, np.uint8)
    boxes = [boxes_at(x) for x in XS]
    for frame, (box,) in zip(clip, boxes, strict=True):
        x1, y1, x2, y2 = box.astype(int)
        frame[y1:y2, x1:x2] = (220, 30, 30)
    return clip, boxes


def read(things: int = 1) -> Reference:
    clip, boxes = square_clip()
    return read_reference(clip, "a man is skiing in the snow", boxes, things)


def cast(*nouns: str) -> Cast:
    actor = np.dstack([np.full((10, 8, 3), 20, np.uint8), np.full((10, 8), 255, np.uint8)])
    field = np.full((SIDE, SIDE, 3), 230, np.uint8)
    return Cast({noun: [actor] for noun in nouns}, {"on the beach": [field]})


class Fixed(np.random.Generator):
    """The usual generator, but that its first `random()` says which kind of copy is drawn."""

    def __init__(self, kind: float) -> None:
        super().__init__(np.random.PCG64(3))
        self.kind: float | None = kind

    def random(self, *args, **kwargs):
        first, self.kind = self.kind, None
        return super().random(*args, **kwargs) if first is None else first


def middles(frames: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The x of what differs from the place, frame by frame."""
    found = np.abs(frames.astype(int) - place).max(-1) > 40
    return np.array([np.nonzero(f)[1].mean() for f in found])


def test_other_things_go_the_references_way() -> None:
    copy = draw_copy(read(), cast("dog"), Fixed(0.0))
    assert copy.prompt == "a dog is skiing on the beach"
    assert np.corrcoef(middles(copy.frames, np.array([230] * 3)), XS)[0, 1] > 0.99


def test_its_own_things_go_on_in_another_place() -> None:
    copy = draw_copy(read(), cast("dog"), Fixed(ACTED))
    assert copy.prompt == "a man is skiing on the beach"
    assert (copy.frames[:, 50:] == 230).all()  # nothing of the gray
    assert np.corrcoef(middles(copy.frames, np.array([230] * 3)), XS)[0, 1] > 0.99


def test_the_whole_clip_in_other_colors_keeps_its_prompt() -> None:
    copy = draw_copy(read(), cast("dog"), Fixed(ACTED + MOVED))
    assert copy.prompt == "a man is skiing in the snow"
    assert np.corrcoef(middles(copy.frames, copy.frames[0, -1, -1].astype(int)), XS)[0, 1] > 0.99


def test_a_clip_in_which_nothing_is_found_is_recolored() -> None:
    clip, _ = square_clip()
    reference = read_reference(clip, "waves", [np.zeros((0, 4))] * FRAMES, 2)
    copy = draw_copy(reference, cast("dog"), Fixed(0.0))
    assert copy.prompt == "waves" and copy.frames.shape == clip.shape


def test_two_subjects_both_go_the_way_of_one_thing() -> None:
    copy = draw_copy(read(2), cast("dog", "tabby cat"), Fixed(0.0))
    assert copy.prompt == "a dog, a tabby cat are skiing on the beach"
    dark = np.abs(copy.frames.astype(int) - 230).max(-1) > 40
    for half in (dark[:, :, : SIDE // 2], dark[:, :, SIDE // 2 :]):
        assert half.any((1, 2)).all()


def test_a_copy_is_a_function_of_its_seed() -> None:
    first, second = (draw_copy(read(), cast("dog"), np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(first.frames, second.frames) and first.prompt == second.prompt


@pytest.mark.parametrize(
    ("action", "doers", "done"),
    [
        ("a man is skiing", 1, "is skiing"),
        ("a man is skiing", 2, "are skiing"),
        ("a bear jumping", 2, "jumping"),
        ("two dogs are running fast", 1, "is running fast"),
        ("waves", 1, ""),
    ],
)
def test_what_is_done_is_the_prompts_end(action: str, doers: int, done: str) -> None:
    assert predicate_of(action, doers) == done


def test_boxes_become_paths_from_left_to_right() -> None:
    """The detector's order changes, a box is missing, and once there is one too many."""
    found = [np.concatenate([boxes_at(50), boxes_at(10)]) for _ in range(5)]
    found[1] = found[1][::-1]
    found[2] = found[2][:1]
    found[3] = np.concatenate([found[3], boxes_at(30, half=2)])
    paths = link_boxes(found, 2)
    assert paths.shape == (2, 5, 4)
    assert np.allclose((paths[..., 0] + paths[..., 2]) / 2, [[10] * 5, [50] * 5])
    assert link_boxes([np.zeros((0, 4))] * 5, 2).shape == (0, 5, 4)


def test_parts_of_a_thing_are_no_things() -> None:
    man, skis, tree = boxes_at(20, half=10), boxes_at(20, 38, half=3), boxes_at(50, half=5)
    assert np.array_equal(keep_whole(np.concatenate([skis, man, tree])), np.concatenate([man, tree]))


def test_the_first_path_is_enough_for_all() -> None:
    path = np.stack([np.concatenate([boxes_at(x) for x in XS])])
    both = for_each(path, 2, SIDE)
    shifts = (both[..., 0] + both[..., 2]) / 2
    assert np.allclose(shifts.mean(1), [16, 48]) and np.allclose(shifts - shifts[:, :1], XS - XS[0])
    assert for_each(path, 1, SIDE) is not None and np.array_equal(for_each(path, 1, SIDE), path)
