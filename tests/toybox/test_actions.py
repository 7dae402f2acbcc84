"""Each toy's own motion, in drawn clips of several toys."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from vd_core.studies.toys import Jury, load_jury
from vd_core.toybox.reading.action_binding import action_binding
from vd_core.toybox.reading.tracking import name_motion, track_kinds
from vd_core.toybox.world.draw import draw_clip
from vd_core.toybox.world.scenes import Scene, Toy, sample_scene

ROOT = Path(__file__).parents[2]
SEED = 1_300_000_000


@pytest.fixture(scope="module")
def jury() -> Jury:
    return load_jury(ROOT / "models/toybox")


def clip_of(motions: dict[str, str], seed: int = SEED) -> torch.Tensor:
    """Two drawn toys of the kinds, each with its own motion."""
    scene = sample_scene(seed, count=len(motions), collages=False)
    pairs = zip(scene.toys, motions.items(), strict=True)
    toys = tuple(replace(toy, kind=kind, motion=motion) for toy, (kind, motion) in pairs)
    return torch.from_numpy(draw_clip(replace(scene, toys=toys))).permute(0, 3, 1, 2).float() / 255


@pytest.mark.parametrize(
    "motions",
    [
        {"dog": "jump", "car": "left"},
        {"bear": "spin", "cat": "still"},
        {"bird": "grow", "robot": "shake"},
        {"ghost": "right", "bunny": "spin"},
    ],
    ids=str,
)
def test_each_toy_has_its_own_motion(jury: Jury, motions: dict[str, str]) -> None:
    """The motion of a clip was that of the toy that was found most surely."""
    clip = clip_of(motions)
    assert {kind: name_motion(track) for kind, track in track_kinds(jury.judges, jury.reader, clip, list(motions)).items()} == motions
    assert action_binding(jury.judges, jury.reader, clip, motions) == 1
    first, second = motions
    exchanged = {first: motions[second], second: motions[first]}
    assert action_binding(jury.judges, jury.reader, clip, exchanged) == 0
    assert action_binding(jury.judges, jury.reader, clip, motions | {first: motions[second]}) == 0.5


def test_another_toy_does_not_stand_for_one_that_is_absent(jury: Jury) -> None:
    two_dogs = Scene(tuple(Toy("dog", "red", "teal", "plain", motion="jump", x=x, size=0.4) for x in (0.27, 0.73)), "snow", 3)
    clip = torch.from_numpy(draw_clip(two_dogs)).permute(0, 3, 1, 2).float() / 255
    assert action_binding(jury.judges, jury.reader, clip, {"dog": "jump", "cat": "jump"}) == 0.5
    empty = torch.from_numpy(draw_clip(Scene((), "snow", 3))).permute(0, 3, 1, 2).float() / 255
    assert action_binding(jury.judges, jury.reader, empty, {"dog": "still"}) == 0


def test_a_toy_that_is_gone_in_some_frames_keeps_its_track(jury: Jury) -> None:
    clip = clip_of({"dog": "jump", "car": "left"})
    empty = torch.from_numpy(draw_clip(Scene((), "snow", 3))).permute(0, 3, 1, 2).float() / 255
    gone = torch.cat([clip[:5], empty[:2], clip[7:]])
    tracks = track_kinds(jury.judges, jury.reader, gone, ["dog", "car"])
    assert {len(t) for t in tracks.values()} == {14}
    assert np.isfinite(tracks["dog"]).all()
