"""Motion without motion modules: what a clip's things do, and latents that do the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vd_core.bases.encode import embed_prompts
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.guides import Guides, Stage, build_guides
from vd_core.generation.layouts import place_automatically
from vd_core.generation.moves import Moves, carry_boxes, center_paths, make_room, move_latents, moves_of_boxes, moves_of_clip
from vd_core.generation.text2video_zero import find_sources, generate_text2video_zero, move_clip, shift_latents, warp_stage
from vd_core.generation.unet import unroll
from vd_core.inputs.clip_motion import ClipMotion, Thing
from vd_core.inputs.scenes import read_scene
from vd_core.inputs.subjects import Subject
from vd_core.inputs.ways import lead_by_words

FRAMES = 8
BOXES = torch.tensor([[0.0, 0.25, 0.5, 1.0], [0.5, 0.25, 1.0, 1.0]])


def still(boxes: torch.Tensor, frames: int = 3) -> Moves:
    return Moves(boxes, torch.eye(2, 3).repeat(len(boxes), frames, 1, 1), torch.zeros(frames, 2))


def test_zero_motion_is_the_identity() -> None:
    latents = torch.randn(1, 4, 16, 16)
    assert torch.equal(move_clip(latents, still(BOXES), 0), latents.expand(2, -1, -1, -1))


def test_a_box_is_carried_and_leaves_fresh_noise() -> None:
    """By four of sixteen positions to the right, before a still background."""
    moves = still(torch.tensor([[0.0, 0.5, 0.25, 1.0]]), 2)
    moves.matrices[:, 1, 0, 2] = 0.25
    latents = torch.randn(1, 4, 16, 16)
    moved = move_clip(latents, moves, 5)[0]
    assert torch.equal(moved[:, 8:, 4:8], latents[0, :, 8:, :4])
    assert torch.equal(moved[:, :8], latents[0, :, :8]) and torch.equal(moved[:, 8:, 8:], latents[0, :, 8:, 8:])
    left = moved[:, 8:, :4]
    assert not torch.isin(left, latents).any()
    assert torch.equal(left, move_clip(latents, moves, 5)[0][:, 8:, :4]) and not torch.equal(
        left, move_clip(latents, moves, 6)[0][:, 8:, :4]
    )


def test_what_is_held_goes_along_and_what_is_uncovered_is_not_held() -> None:
    """With the plain motion field everything moves; with moves a box is carried, and what it leaves is drawn."""
    latents, held = torch.randn(2, 1, 4, 16, 16), torch.zeros(2, 1, 1, 16, 16, dtype=torch.bool)
    held[..., 8:, :4] = True
    carrying = still(torch.tensor([[0.0, 0.5, 0.25, 1.0]]), 2)
    carrying.matrices[:, 1, 0, 2] = 0.25
    whole = warp_stage(Stage(latents, 0.3, held), [None, carrying], torch.tensor([[-64.0, 0.0]]))  # two positions to the right
    assert whole.held is not None and whole.held.shape == (2, 2, 1, 16, 16) and torch.equal(whole.held[:, 0], held[:, 0])
    assert torch.equal(whole.held[0, 1, 0, 8:].any(0), (torch.arange(16) < 6)) and not whole.held[0, 1, 0, :8].any()
    assert torch.equal(whole.latents[0, 1, :, 8:, 2:6], latents[0, 0, :, 8:, :4])
    assert torch.equal(whole.held[1, 1, 0, 8:].any(0), (torch.arange(16) >= 4) & (torch.arange(16) < 8))
    assert torch.equal(whole.latents[1, 1, :, 8:, 4:8], latents[1, 0, :, 8:, :4])
    plain = Stage(latents, 0.3)
    assert warp_stage(plain, [None, None], torch.zeros(1, 2)) is plain


def test_what_the_background_uncovers_is_noise_too() -> None:
    """It moves, and the box stays: nothing of the box is drawn along."""
    shifts = torch.tensor([[64.0, 0.0]])  # two positions to the left
    box, latents = torch.tensor([[0.5, 0.0, 0.75, 1.0]]), torch.randn(1, 4, 16, 16)
    sources = find_sources(shifts, 16, 16)
    shifted = shift_latents(latents, shifts)
    moved = move_latents(latents[0], Moves(box, torch.eye(2, 3)[None, None], shifts), shifted, sources, torch.full_like(shifted, 9.0))[0]
    assert torch.equal(moved[..., 8:12], latents[0, ..., 8:12]) and bool((moved[..., 6:8] == 9).all())
    assert torch.equal(moved[..., :6], latents[0, ..., 2:8])


def test_boxes_over_time_carry_what_they_hold() -> None:
    boxes = torch.tensor([[[0.0, 0.0, 0.5, 0.5], [0.25, 0.5, 0.5, 0.75]]])  # half as large
    moves = moves_of_boxes(boxes, (12.0, 0.0))
    torch.testing.assert_close(carry_boxes(moves), boxes)
    corner = moves.matrices[0, 1] @ torch.tensor([0.5, 0.5, 1.0])
    assert corner.tolist() == pytest.approx([0.5, 0.75]) and moves.shifts.tolist() == [[0, 0], [12, 0]]


def test_paths_are_centered_on_the_boxes_and_what_stays_is_not_moved() -> None:
    """A thing that goes 0.3 to the left begins 0.15 right of where its box was, so that neither end leaves the picture."""
    away = np.repeat(np.float64([[[1, 0, 0], [0, 1, 0]]]), 3, 0)
    away[:, 0, 2] = (0, -0.1, -0.3)
    motion = ClipMotion((Thing((0.5, 0.3, 0.9, 0.7), away),), np.zeros((3, 2)))
    centered = center_paths(BOXES, motion)
    torch.testing.assert_close(centered, BOXES + torch.tensor([0.15, 0.0, 0.15, 0.0]))
    moves = moves_of_clip(centered, motion)
    assert moves.carry and not still(BOXES).carry
    middle = ((carry_boxes(moves)[0, :, 0] + carry_boxes(moves)[0, :, 2]) / 2).tolist()
    assert middle == pytest.approx([0.4, 0.3, 0.175], abs=1e-6)  # the last box is cut off at the picture's edge
    nothing = ClipMotion((), np.zeros((3, 2)))
    assert torch.equal(center_paths(BOXES, nothing), BOXES)


def test_boxes_leave_room_for_the_ways_of_their_things() -> None:
    """Nothing is cut off at the picture's edges, and nobody changes sides; a longer way than half of the picture is not made room for."""
    away = np.repeat(np.float64([[[1, 0, 0], [0, 1, 0]]]), 3, 0)
    away[:, :, 2] = [(0, 0), (-0.2, -0.3), (0.1, 0)]
    thing = Thing((0.1, 0.3, 0.4, 0.9), away)
    motion = ClipMotion((thing, thing), np.zeros((3, 2)))
    boxes = make_room(BOXES, motion)
    torch.testing.assert_close(boxes, torch.tensor([[0.2, 0.475, 0.55, 1.0], [0.55, 0.475, 0.9, 1.0]]))
    carried = carry_boxes(moves_of_clip(boxes, motion))
    assert carried[..., [0, 1]].amin((0, 1)).tolist() == pytest.approx([0, 0.175]) and carried[..., 2].max() == pytest.approx(1)
    torch.testing.assert_close(carried[..., 2:] - carried[..., :2], torch.tensor([0.35, 0.525]).expand(2, 3, 2))
    far = ClipMotion((replace(thing, matrices=away * 5),), np.zeros((3, 2)))
    assert (make_room(BOXES, far)[:, 2:] - make_room(BOXES, far)[:, :2]).tolist() == [[0.25, 0.375]] * 2
    assert torch.equal(make_room(BOXES, ClipMotion((), np.zeros((3, 2)))), BOXES)


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_animatediffs_boxes_go_the_clips_ways_and_carry_no_latents(base: Base) -> None:
    subjects = [Subject("dog", "dog", "sks", None)]
    away = np.repeat(np.float64([[[1, 0, 0], [0, 1, 0]]]), 3, 0)
    away[:, 0, 2] = (0, 0.1, 0.2)
    motion = ClipMotion((Thing((0.1, 0.3, 0.4, 0.9), away),), np.zeros((3, 2)))
    scene, layout = read_scene({"scene": "in the snow", "subjects": {"dog": ""}}), place_automatically(1)
    guides = build_guides(base, subjects, [scene], [layout], 3, False, None, motion)
    assert guides.moves == [None] and guides.regions is not None
    assert guides.regions.boxes[0, 0, :, 0].tolist() == pytest.approx([0, 0.1, 0.2])
    own = read_scene({"scene": "in the snow", "subjects": {"dog": ""}, "layout": {"dog": [[0, 0.2, 0.5, 1], [0.2, 0.2, 0.7, 1]]}})
    moved = build_guides(base, subjects, [own], [layout], 3, False, None, motion)
    assert moved.regions is not None and moved.regions.boxes[0, 0, :, 0].tolist() == pytest.approx([0, 0.1, 0.2])
    assert moved.regions.boxes[0, 0, 0].tolist() == pytest.approx([0, 0.2, 0.5, 1])  # boxes that say their own way keep it
    assert build_guides(base, subjects, [read_scene("in the snow")], [layout], 3, False, None, motion).regions is None


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_words_lead_both_generators_before_the_clip(base: Base) -> None:
    """Boxes jump; Text2Video-Zero carries what is in them, unless every frame was laid out."""
    subjects, frames, layout = [Subject("dog", "dog", "sks", None)], 8, place_automatically(1)
    away = np.repeat(np.float64([[[1, 0, 0.3], [0, 1, 0]]]), frames, 0)
    motion = ClipMotion((Thing((0.1, 0.3, 0.4, 0.9), away),), np.zeros((frames, 2)))
    scene = lead_by_words(read_scene({"scene": "in the snow", "subjects": {"dog": "is jumping"}}), subjects, layout, frames)
    zero, animated, laid = (
        build_guides(base, subjects, [scene], [layout], frames, False, strength, motion, [held])
        for strength, held in (((0.0, 0.0), False), (None, False), ((0.0, 0.0), True))
    )
    assert zero.carry and zero.moves[0] is not None and laid.moves == animated.moves == [None]
    ground = zero.moves[0].matrices[0, :, 1, 2]
    assert ground[0] == 0 and float(ground.min()) == pytest.approx(-0.2, abs=1e-3)
    for guides in (zero, animated, laid):
        assert guides.regions is not None
        tops = guides.regions.boxes[0, 0, :, 1]
        assert float(tops[0] - tops.min()) == pytest.approx(0.2, abs=1e-3) and guides.regions.boxes[0, 0, :, 0].tolist() == [0] * frames


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_what_carries_begins_later_and_what_does_not_stays_as_it_was(base: Base) -> None:
    """`t_carried` is T, and T' is one less, of clips whose boxes leave their places alone."""
    subjects, net, embeds = [Subject("dog", "dog", "sks", None)], unroll(base.unet), embed_prompts(base, ["a sks dog in the snow"])

    def clip(boxes: list, t_forward: int, t_warp: int, t_carried: int | None) -> torch.Tensor:
        scene = read_scene({"scene": "in the snow", "subjects": {"dog": ""}, "layout": {"dog": boxes}})
        guides = build_guides(base, subjects, [scene], [place_automatically(1)], 3, False, (12.0, 12.0))
        return generate_text2video_zero(
            base, net, embeds, [0], 3, 8, 3.0, (12.0, 12.0), t_forward, t_warp, False, guides=guides, t_carried=t_carried
        )

    moving, standing = [[0.0, 0.2, 0.5, 1.0], [0.5, 0.2, 1.0, 1.0]], [0.0, 0.2, 0.5, 1.0]
    assert torch.equal(clip(moving, 6, 4, 3), clip(moving, 3, 2, None))
    assert torch.equal(clip(moving, 3, 2, 6), clip(moving, 3, 2, None))  # never earlier than T
    assert torch.equal(clip(standing, 6, 4, 3), clip(standing, 6, 4, None))


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_where_events_follow_each_other_frames_part_early(base: Base) -> None:
    """`t_events` is T, and T' one less, of clips of several events alone; there is one step before it at least."""
    subjects, net, embeds = [Subject("dog", "dog", "sks", None)], unroll(base.unet), embed_prompts(base, ["a sks dog in the snow"])

    def clip(scene: str | dict, t_forward: int, t_warp: int, t_events: int | None) -> torch.Tensor:
        guides = build_guides(base, subjects, [read_scene(scene)], [place_automatically(1)], 3, False, (12.0, 12.0))
        return generate_text2video_zero(
            base, net, embeds, [0], 3, 8, 3.0, (12.0, 12.0), t_forward, t_warp, False, guides=guides, t_events=t_events
        )

    turning = {"from": "in the snow", "to": "on the beach"}
    assert torch.equal(clip(turning, 3, 2, 6), clip(turning, 6, 5, None))
    assert torch.equal(clip(turning, 3, 2, 20), clip(turning, 7, 6, None))
    assert torch.equal(clip(turning, 6, 5, 3), clip(turning, 6, 5, None))  # never later than T
    assert torch.equal(clip("in the snow", 3, 2, 6), clip("in the snow", 3, 2, None))


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_a_clip_follows_and_zero_motion_changes_nothing(base: Base) -> None:
    """The whole generator: a thing that stays moves nothing, which is what no strength does; one that moves does."""
    subjects = [Subject("dog", "dog", "sks", None)]
    scene, net, embeds = read_scene("in the snow"), unroll(base.unet), embed_prompts(base, ["a sks dog in the snow"])

    def clip(guides: Guides | None) -> torch.Tensor:
        return generate_text2video_zero(base, net, embeds, [0], 3, 8, 3.0, (0.0, 0.0), 6, 4, False, guides=guides)

    def guides(matrices: np.ndarray) -> Guides:
        motion = ClipMotion((Thing((0.2, 0.2, 0.6, 0.8), matrices),), np.zeros((3, 2)))
        return build_guides(base, subjects, [scene], [place_automatically(1)], 3, False, (0.0, 0.0), motion)

    matrices = np.repeat(np.float64([[[1, 0, 0], [0, 1, 0]]]), 3, 0)
    assert torch.equal(clip(guides(matrices)), clip(None))
    matrices = matrices + 0
    matrices[1:, 0, 2] = 0.25
    assert not torch.allclose(clip(guides(matrices)), clip(None), atol=1e-2)
