"""Scenes one after the other: whose prompt counts in which frame and step, and what the frames look at."""

import pytest
import torch

from vd_core.bases.encode import embed_prompts
from vd_core.bases.stable_diffusion import Base
from vd_core.generation import denoise
from vd_core.generation.animatediff import build_animatediff, generate_animatediff
from vd_core.generation.attention import Conditions, self_attention
from vd_core.generation.denoise import WINDOW
from vd_core.generation.guides import Guides, build_guides
from vd_core.generation.layouts import place_automatically
from vd_core.generation.regions import Places, find_starts, weigh_events
from vd_core.generation.text2video_zero import generate_text2video_zero
from vd_core.generation.unet import call_unet, unroll
from vd_core.inputs.scenes import read_scene
from vd_core.inputs.subjects import Subject

SUBJECTS = [Subject("dog", "dog", "sks", None)]
SIZE = torch.Size((2, 2))


def guides_of(base: Base, raw: object, frames: int) -> Guides:
    return build_guides(base, SUBJECTS, [read_scene(raw)], [place_automatically(1)], frames, False, (0.0, 0.0))


def test_early_steps_know_one_event_a_frame_and_later_ones_fade() -> None:
    early, late = weigh_events([0, 4, 12], 16)
    assert early.tolist() == [[0] * 4 + [1] * 8 + [0] * 4, [0] * 12 + [1] * 4]
    assert bool(((late >= 0) & (late <= 1)).all()) and float(late.sum(0).max()) <= 1
    assert 0 < float(late[0, 3]) < 0.5 < float(late[0, 4]) < 1 and float(late[0, 8]) == 1
    assert find_starts([0, 4, 12], 16).tolist() == [0] * 4 + [4] * 8 + [12] * 4


@pytest.mark.parametrize("parts", [[slice(0, 6)], [slice(0, 2), slice(2, 5), slice(5, 6)]])
@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
@torch.no_grad()
def test_frames_look_at_their_events_first_and_at_the_one_before(base: Base, parts: list[slice]) -> None:
    """Against a slow reference; some frames at a time give the same, with two frames kept."""
    attn = next(m for n, m in base.unet.named_modules() if n.endswith("attn1"))
    x = torch.randn(12, 4, attn.to_q.in_features, generator=torch.Generator().manual_seed(0))  # two clips of six frames
    starts = torch.tensor([[0, 0, 0, 3, 3, 3], [0] * 6])
    empty, changing = torch.zeros(2, 1, 6), torch.tensor([True, False])
    places = Places({}, empty[..., None].expand(-1, -1, -1, 4), empty, starts, ~changing & changing, empty, changing, True)
    got, kept = [], {}
    for part in parts:
        own = x.unflatten(0, (2, 6))[:, part].flatten(0, 1)
        got.append(
            self_attention(attn, own, SIZE, Conditions({}, {}, 2, part.stop - part.start, kept, places.part(part))).unflatten(0, (2, -1))
        )
    got = torch.cat(got, 1)
    for clip in range(2):
        for f in range(6):
            seen = {int(starts[clip, f]), max(f - 1, 0)} if clip == 0 else {0}
            context = torch.cat([x[6 * clip + i] for i in sorted(seen)])
            expected = attn(x[None, 6 * clip + f], context[None])[0]
            torch.testing.assert_close(got[clip, f], expected, rtol=1e-4, atol=1e-5)
    assert kept[attn][0].shape[:2] == (2, 2)


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
@torch.no_grad()
def test_an_event_changes_its_own_frames(base: Base) -> None:
    """Two events of one text are the plain clip; another second text leaves the first frames of the early steps as they are."""
    net = unroll(base.unet)

    def clip(raw: object, frames: int = 4) -> torch.Tensor:
        guides = guides_of(base, raw, frames) if raw else None
        embeds = embed_prompts(base, ["a sks dog on the beach"])
        return generate_text2video_zero(base, net, embeds, [1], frames, 8, 3.0, (0.0, 0.0), 6, 4, False, guides=guides)[0]

    other = clip({0: "on the beach", 2: "in the city"})
    same = clip({0: "on the beach", 2: "on the beach"})
    moved = (other - same).abs().flatten(1).amax(1)
    assert float(moved[2:].min()) > 1e-3 and float(moved[0]) < float(moved[3])
    torch.testing.assert_close(same[0], clip(None)[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
@torch.no_grad()
def test_long_clips_with_events_take_windows(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    """40 frames of AnimateDiff in calls of 16; a frame's event counts wherever its window begins."""
    assert base.motion_adapter is not None
    net, sizes, call = unroll(build_animatediff(base, base.motion_adapter).unet), [], call_unet
    monkeypatch.setattr(denoise, "call_unet", lambda net, z, *more: sizes.append(len(z)) or call(net, z, *more))
    embeds = embed_prompts(base, ["a sks dog on the beach"])
    clips = [
        generate_animatediff(base, net, embeds, [0], 40, 2, 3.0, False, guides=guides_of(base, {0: "on the beach", 30: text}, 40))[0]
        for text in ("on the beach", "in the city")
    ]
    moved = (clips[0] - clips[1]).abs().flatten(1).amax(1)
    assert set(sizes) == {WINDOW} and clips[0].shape[0] == 40
    assert float(moved[30:].min()) > 10 * float(moved[:12].max())
