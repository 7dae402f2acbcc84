"""Motion smoothness and amplitude on clips whose motion is known."""

import cv2
import numpy as np
import pytest

from vd_core.metrics.motion_amplitude import motion_amplitude
from vd_core.metrics.motion_smoothness import middle_frame, motion_smoothness
from vd_core.toybox.world.draw import draw_clip, in_motion
from vd_core.toybox.world.scenes import sample_scene

SEED = 1_200_000_000


def drawn(motion: str, seed: int = SEED) -> list[np.ndarray]:
    return list(draw_clip(in_motion(sample_scene(seed, count=1, collages=False), motion)))


def panned(step: int, side: int = 128, frames: int = 7) -> list[np.ndarray]:
    """Something soft that moves to the right by `step` pixels a frame."""
    noise = np.random.default_rng(0).uniform(0, 255, (side, side, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(np.tile(noise, (3, 3, 1)), (0, 0), side / 20)[side : 2 * side, side : 2 * side]
    wide = np.clip((soft - soft.mean()) * 8 + 128, 0, 255).astype(np.uint8)
    return [np.roll(wide, step * i, axis=1) for i in range(frames)]


def test_a_still_clip_is_perfectly_smooth_and_does_not_move() -> None:
    assert motion_smoothness(drawn("still")) == 1 and motion_amplitude(drawn("still")) == 0


def test_the_amplitude_is_the_distance_moved() -> None:
    """In pixels of a 512-pixel picture: 2 of 128 are 8."""
    assert motion_amplitude(panned(2)) == pytest.approx(8, rel=0.1)
    assert motion_amplitude(panned(4)) == pytest.approx(16, rel=0.1)
    doubled = [cv2.resize(f, (256, 256)) for f in panned(2)]
    assert motion_amplitude(doubled) == pytest.approx(8, rel=0.1)
    assert motion_amplitude(panned(2)[:1]) == 0


@pytest.mark.parametrize("motion", ["left", "right", "jump", "grow"])
def test_the_interpolated_frame_is_the_drawn_one(motion: str) -> None:
    """Nearer than the neighbors' average, which shows the toy twice."""
    clip = drawn(motion)
    middle = range(1, len(clip) - 1, 2)
    ours = np.mean([np.abs(clip[i] - middle_frame(clip[i - 1], clip[i + 1])).mean() for i in middle])
    average = np.mean([np.abs(clip[i] - (clip[i - 1].astype(float) + clip[i + 1]) / 2).mean() for i in middle])
    assert ours < 0.6 * average
    assert motion_smoothness(clip) == pytest.approx(1 - ours / 255)


@pytest.mark.parametrize("motion", ["left", "jump", "grow"])
def test_frames_out_of_order_are_less_smooth(motion: str) -> None:
    clip = drawn(motion)
    shuffled = [clip[i] for i in np.random.default_rng(0).permutation(len(clip))]
    assert (motion_smoothness(clip) or 0) > 0.98 > (motion_smoothness(shuffled) or 1)


def test_flicker_is_less_smooth_than_a_pan() -> None:
    """The flow alone cannot tell: it is the picture that differs."""
    steady, flickering = panned(2), [f if i % 2 else 255 - f for i, f in enumerate(panned(2))]
    assert (motion_smoothness(steady) or 0) > 0.97 > 0.9 > (motion_smoothness(flickering) or 1)


def test_two_frames_have_no_smoothness() -> None:
    assert motion_smoothness(drawn("left")[:2]) is None
