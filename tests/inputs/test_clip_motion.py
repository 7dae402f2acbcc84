"""How the things in a clip move, and what a detector's boxes say of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from vd_core.generation.moves import carry_boxes, moves_of_clip
from vd_core.inputs.clip_motion import ClipMotion, about_center, find_motion, fit_similarity, motion_of_paths
from vd_core.inputs.pictures import to_pictures
from vd_core.metrics.motion_path import path_correlation
from vd_core.studies.transfer import Drawn, draw_reference
from vd_core.toybox.world.draw import draw_clip, draw_frame, paint_background
from vd_core.toybox.world.paths import path_of
from vd_core.toybox.world.scenes import Scene, Toy

FRAMES = 8
BOXES = torch.tensor([[0.0, 0.25, 0.5, 1.0], [0.5, 0.25, 1.0, 1.0]])


def drawn(*toys: Toy) -> tuple[list[Image.Image], np.ndarray]:
    """A drawn clip and where its toys' centers are, `[f, toys, 2]` in fractions."""
    scene = Scene(toys, "snow", 7)
    background = paint_background(scene)
    boxes = np.stack([draw_frame(scene, f / FRAMES, background)[1] for f in range(FRAMES)]) / 64
    return [Image.fromarray(p) for p in draw_clip(scene, FRAMES)], (boxes[..., :2] + boxes[..., 2:]) / 2


@pytest.mark.parametrize("motion", ["jump", "left", "right"])
def test_a_drawn_toys_path_is_followed(motion: str) -> None:
    """Within a fiftieth of the picture in every frame; the background stays."""
    frames, centers = drawn(Toy("bear", "red", "yellow", "spotted", motion=motion, size=0.5))
    found = find_motion(frames, 2)
    assert len(found.things) == 1 and np.abs(found.background).max() < 0.01
    thing = found.things[0]
    path = np.stack([m @ np.array([*centers[0, 0], 1.0]) for m in thing.matrices])
    assert np.abs(path - centers[:, 0]).max() < 0.02
    assert np.ptp(centers[:, 0], axis=0).max() > 0.1


def test_a_fast_path_is_followed_through_all_of_the_clips_frames() -> None:
    """Of eight frames alone DIS loses it: it goes a quarter of the width between two."""
    drawn_clip = draw_reference(Drawn("circle", {"robot": ("teal", "white", "plain"), "bird": ("green", "pink", "plain")}, "forest", 92))
    frames = to_pictures(torch.from_numpy(drawn_clip).permute(0, 3, 1, 2) / 127.5 - 1)
    motion = find_motion(frames, 2).spread_over(8)
    chosen = np.linspace(0, len(frames) - 1, 8).round().astype(int)
    assert motion.background.shape == (8, 2)
    for thing in motion.things:
        center = np.array([(thing.box[0] + thing.box[2]) / 2, (thing.box[1] + thing.box[3]) / 2, 1.0])
        assert path_correlation(thing.matrices @ center, path_of("circle")[chosen] * [1, -1]) > 0.99


def test_a_toy_as_bright_as_its_place_is_followed() -> None:
    """A white and an orange toy before sand: in gray they have no edges, in color they do."""
    looks = {"dog": ("white", "green", "plain"), "ghost": ("orange", "white", "plain")}
    frames = to_pictures(torch.from_numpy(draw_reference(Drawn("zigzag", looks, "desert", 52))).permute(0, 3, 1, 2) / 127.5 - 1)
    things = find_motion(frames, 2).things
    assert things
    for thing in things:
        center = np.array([(thing.box[0] + thing.box[2]) / 2, (thing.box[1] + thing.box[3]) / 2, 1.0])
        assert path_correlation(thing.matrices @ center, path_of("zigzag") * [1, -1]) > 0.95


def test_a_detectors_boxes_are_a_motion_too() -> None:
    """One goes right and grows by half, the other stays; no box is no thing."""
    paths = np.array([[[10, 20, 30, 60], [30, 20, 60, 80]], [[70, 20, 90, 60]] * 2], float)
    motion = motion_of_paths(paths, 100)
    moves = moves_of_clip(torch.tensor([thing.box for thing in motion.things]), motion)
    torch.testing.assert_close(carry_boxes(moves), torch.from_numpy(paths / 100).float())
    assert motion_of_paths(np.zeros((0, 4, 4)), 100).things == () and motion.spread_over(5).background.shape == (5, 2)


def test_two_toys_have_two_motions() -> None:
    """The left one's is the left thing's. Both stay within the picture: what the edge cuts off is not followed."""
    one = Toy("bear", "red", "yellow", "spotted", motion="jump", size=0.36, x=0.25)
    frames, centers = drawn(one, replace(one, kind="cat", motion="right", x=0.65))
    things = find_motion(frames, 2).things
    assert len(things) == 2
    moves = moves_of_clip(BOXES, ClipMotion(things, np.zeros((FRAMES, 2))))
    boxes = carry_boxes(moves)
    found = ((boxes[..., :2] + boxes[..., 2:]) / 2).numpy()  # [r, f, 2]
    assert np.corrcoef(found[0, :, 1], centers[:, 0, 1])[0, 1] > 0.95
    assert np.corrcoef(found[1, :, 0], centers[:, 1, 0])[0, 1] > 0.95


def test_nothing_that_moves_is_no_thing() -> None:
    frames, _ = drawn(Toy("bear", "red", "yellow", "plain"))
    motion = find_motion(frames, 2)
    assert motion.things == () and torch.equal(moves_of_clip(BOXES, motion).matrices, torch.eye(2, 3).repeat(2, FRAMES, 1, 1))


def test_a_similarity_is_found_among_outliers_and_put_elsewhere() -> None:
    places = np.random.default_rng(0).random((200, 2))
    turn = np.array([[0.8, -0.6, 0.1], [0.6, 0.8, -0.2]])
    moved = places @ turn[:, :2].T + turn[:, 2]
    moved[:40] += 0.3
    np.testing.assert_allclose(fit_similarity(places, moved), turn, atol=1e-6)
    elsewhere = about_center(turn, (0.5, 0.5), (0.0, 0.0, 0.4, 0.4))
    np.testing.assert_allclose(elsewhere @ [0.2, 0.2, 1], np.array([0.2, 0.2]) + turn @ [0.5, 0.5, 1] - 0.5)
