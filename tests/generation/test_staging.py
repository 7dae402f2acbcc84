"""Each subject drawn alone first, and the picture drawn on from all of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vd_core.bases.encode import embed_prompts
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.animatediff import build_animatediff, generate_animatediff
from vd_core.generation.denoise import make_scheduler
from vd_core.generation.guides import Guides, Solos, Stage, build_guides, enter
from vd_core.generation.layouts import place_automatically
from vd_core.generation.pictures import generate_latents
from vd_core.generation.staging import (
    cast_alone,
    draw_clip_with,
    draw_picture_with,
    draw_still_with,
    lay_out,
    lay_out_events,
    set_stages,
)
from vd_core.generation.takes import Director
from vd_core.generation.text2video_zero import generate_text2video_zero
from vd_core.generation.unet import unroll
from vd_core.inputs.scenes import Asked, read_scene
from vd_core.inputs.staging import see_alone
from vd_core.inputs.subjects import Subject
from vd_core.settings import Sampling

SUBJECTS = [Subject("dog", "dog", "sks", None), Subject("cat", "cat", "krk", None)]
SCENE = read_scene({"scene": "in the snow", "subjects": {"dog": "is jumping", "cat": ""}})
SAMPLING = Sampling(4, 3.0)
on_one_base = pytest.mark.parametrize("kind", ["sd1"], indirect=True)


def find_middle(picture: np.ndarray, noun: str | None) -> np.ndarray:
    """Everything stands in the middle."""
    side = picture.shape[0]
    return np.array([[0.3, 0.3, 0.7, 0.9]]) * side


def find_nothing(picture: np.ndarray, noun: str | None) -> np.ndarray:
    return np.zeros((0, 4))


def guides_of(base: Base, frames: int, clips: int = 1) -> Guides:
    boxes = [place_automatically(2)] * clips
    return cast_alone(base, SUBJECTS, [SCENE] * clips, build_guides(base, SUBJECTS, [SCENE] * clips, boxes, frames, False))


@on_one_base
def test_sampling_begins_where_the_stage_is_as_noisy(base: Base) -> None:
    noise, latents = torch.randn(1, 1, *base.latent_shape), torch.randn(1, 1, *base.latent_shape)
    assert enter(None, base.noise_scheduler, make_scheduler(base, 8), noise) == (noise, 0)
    for share, latest, wanted in ((0.75, None, 2), (0.25, None, 6), (0.01, None, 7), (0.25, 3, 3)):
        scheduler = make_scheduler(base, 8)
        entered, first = enter(Stage(latents, share), base.noise_scheduler, scheduler, noise, latest)
        alpha = base.noise_scheduler.alphas_cumprod[int(scheduler.timesteps[first])]
        assert first == wanted == scheduler.begin_index
        torch.testing.assert_close(entered, alpha.sqrt() * latents + (1 - alpha).sqrt() * noise)


@on_one_base
@torch.no_grad()
def test_the_fewer_steps_are_left_the_more_a_picture_is_its_stage(base: Base) -> None:
    """And a seed's picture is the same alone and in company."""
    embeds = embed_prompts(base, ["a sks dog, a krk cat in the snow"] * 2)

    def draw(share: float, seeds: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        guides = set_stages(
            base, Director(find_middle, SUBJECTS, share), draw_picture_with(base, SAMPLING), guides_of(base, 1, len(seeds)), seeds
        )
        assert guides.stage is not None and guides.stage.latents.shape == (len(seeds), 1, *base.latent_shape)
        made = generate_latents(base, embeds[: 1 + len(seeds)], seeds, 8, 3.0, guides.regions, guides.stage)
        return made, guides.stage.latents[:, 0]

    distances = []
    for share in (0.2, 0.9):
        made, stage = draw(share, [5])
        distances.append(float((made - stage).abs().mean()))
    assert distances[0] < distances[1]
    both, one = draw(0.5, [5, 6])[0], draw(0.5, [6])[0]
    torch.testing.assert_close(both[1:], one, rtol=1e-3, atol=1e-4)


def test_a_held_picture_lasts_and_goes_with_its_box() -> None:
    picture = np.full((1, 64, 64, 3), 20, np.uint8)
    picture[:, 24:56, 20:44] = (230, 120, 40)
    found = see_alone(picture, [np.array([[20.0, 24.0, 44.0, 56.0]])])
    boxes = np.array([[[0.0, 0.2, 0.5, 1.0], [0.2, 0.2, 0.7, 1.0], [0.4, 0.0, 0.9, 0.8]]])
    laid = lay_out([(picture, found)], boxes)
    middles = np.array([np.argwhere(frame[..., 0] > 150).mean(0) for frame in laid.clip])
    np.testing.assert_allclose(np.diff(middles, axis=0), [[0, 12.8], [-12.8, 12.8]], atol=0.6)
    np.testing.assert_allclose(laid.boxes, boxes, atol=1e-6)
    nobody = lay_out([(picture, None)], boxes)
    assert np.array_equal(nobody.clip, picture.repeat(3, 0)) and nobody.boxes is boxes and not nobody.hides.any()


@on_one_base
@torch.no_grad()
def test_both_generators_draw_on_from_it(base: Base) -> None:
    """AnimateDiff from a clip, Text2Video-Zero from its first frame; nobody found is no end; without anybody to be alone nothing changes."""
    assert base.motion_adapter is not None
    animated, zero = unroll(build_animatediff(base, base.motion_adapter).unet), unroll(base.unet)
    embeds, frames = embed_prompts(base, ["a sks dog, a krk cat in the snow"]), 3

    def animate(embeds: torch.Tensor, seeds: list[int], guides: Guides | None = None, still: bool = False) -> torch.Tensor:
        return generate_animatediff(base, animated, embeds, seeds, frames, 4, 3.0, False, guides=guides, still=still)

    def shift(embeds: torch.Tensor, seeds: list[int], guides: Guides | None = None) -> torch.Tensor:
        return generate_text2video_zero(base, zero, embeds, seeds, frames, 8, 3.0, (0.0, 0.0), 6, 4, False, guides=guides)

    way = {"dog": [[0, 0.2, 0.5, 1], [0.2, 0.2, 0.7, 1]], "cat": [[0.5, 0.2, 1, 1]]}
    leading = read_scene({"scene": "in the snow", "subjects": {"dog": "", "cat": ""}, "layout": way})
    led = cast_alone(base, SUBJECTS, [leading], build_guides(base, SUBJECTS, [leading], [[]], frames, False, held=[True]))
    for generate, draw, staged in ((animate, draw_clip_with(animate), frames), (shift, draw_picture_with(base, SAMPLING), 1)):
        plain = guides_of(base, frames)
        for find in (find_middle, find_nothing):
            guides = set_stages(base, Director(find, SUBJECTS, 0.4), draw, plain, [7])
            assert guides.stage is not None and guides.stage.latents.shape[:2] == (1, staged)
            assert guides.of([0]).stage is not None
            made, at_once = generate(embeds, [7], guides), generate(embeds, [7], plain)
            assert made.shape == at_once.shape and float((made - at_once).abs().max()) > 1e-2
        still = draw_still_with(base, animate) if staged == frames else draw
        held = set_stages(base, Director(find_middle, SUBJECTS, 0.4), still, led, [7])
        assert held.stage is not None and held.stage.latents.shape[1] == frames and held.regions is not None
        assert held.regions.boxes[0, 0, :, 0].diff().tolist() == pytest.approx([0.1, 0.1], abs=1e-5)  # as led, and no further
        nobody = replace(plain, alone=None)
        assert set_stages(base, Director(find_middle, SUBJECTS, 0.4), draw, nobody, [7]) is nobody


@on_one_base
@torch.no_grad()
def test_text2video_zero_draws_every_frame_of_a_stage_on_from_one_noise(base: Base) -> None:
    """So what stands still stays as it is, without a warp; what is led does not."""
    net, embeds, frames = unroll(base.unet), embed_prompts(base, ["a sks dog, a krk cat in the snow"]), 3

    def clip(way: list) -> torch.Tensor:
        scene = read_scene({"scene": "in the snow", "subjects": {"dog": "", "cat": ""}, "layout": {"dog": way, "cat": [0.5, 0.2, 1, 1]}})
        guides = build_guides(base, SUBJECTS, [scene], [[]], frames, False, (12.0, 12.0), held=[True])
        assert guides.moves == [None] and not guides.carry
        alone = cast_alone(base, SUBJECTS, [scene], guides)
        staged = set_stages(base, Director(find_middle, SUBJECTS, 0.4), draw_picture_with(base, SAMPLING), alone, [7])
        return generate_text2video_zero(base, net, embeds, [7], frames, 8, 3.0, (12.0, 12.0), 6, 4, False, guides=staged)[0]

    stays, goes = clip([0, 0.2, 0.5, 1]), clip([[0, 0.2, 0.5, 1], [0.2, 0.2, 0.7, 1]])
    torch.testing.assert_close(stays, stays[:1].expand_as(stays), atol=1e-4, rtol=0)
    torch.testing.assert_close(goes[0], stays[0], atol=1e-4, rtol=0)
    assert float((goes[2] - goes[0]).abs().max()) > 1e-2


@on_one_base
@torch.no_grad()
def test_in_events_each_subject_is_drawn_alone_at_each_place(base: Base) -> None:
    """From the same seed, so that it stays itself; each event has its own frames, and the regions of the events stay as they were."""
    scene, frames = read_scene({"from": "are jumping in the forest", "to": "on the beach"}), 4
    plain = build_guides(base, SUBJECTS, [scene], [place_automatically(2)], frames, False)
    assert cast_alone(base, SUBJECTS, [scene], plain).alone == [None]
    guides = cast_alone(base, SUBJECTS, [scene], plain, place_automatically(2))
    said = ["a sks dog is jumping in the forest", "a krk cat is jumping in the forest", "a sks dog on the beach", "a krk cat on the beach"]
    assert guides.alone is not None and guides.alone[0] is not None and guides.alone[0].starts == [0, 2]
    torch.testing.assert_close(guides.alone[0].embeds, embed_prompts(base, said))
    assert guides.alone[0].asked == [Asked("are jumping in the forest")] * 2 + [Asked("on the beach")] * 2
    asked: list[list[int]] = []

    def draw(prompt_embeds: torch.Tensor, seeds: list[int]) -> torch.Tensor:
        asked.append(seeds)
        return torch.arange(16.0)[:, None, None, None].expand(16, 3, 16, 16).unflatten(0, (4, 4)) / 16

    staged = set_stages(base, Director(find_middle, SUBJECTS, 0.4), draw, guides, [7])
    assert asked[0][:2] == asked[0][2:] and asked[0][0] != asked[0][1]
    assert staged.stage is not None and staged.regions is not None and plain.regions is not None
    assert staged.stage.latents.shape[:2] == (1, frames) and torch.equal(staged.regions.boxes, plain.regions.boxes)


def test_each_event_has_its_own_frames_of_what_was_drawn() -> None:
    def drawn(level: int) -> tuple:
        clip = np.stack([np.full((32, 32, 3), level + f, np.uint8) for f in range(4)])
        return clip, see_alone(clip, [np.array([[8.0, 8, 24, 24]])] * 4)

    solos = Solos(torch.zeros(3, 1, 1), [Asked("")] * 2, torch.tensor([[[0.0, 0.2, 0.5, 1]] * 4]), [0, 1])
    laid = lay_out_events([[drawn(100)], [drawn(200)]], solos, False)
    assert laid.clip[:, 0, 0, 0].tolist() == pytest.approx([101.5, 201.5, 201.5, 201.5], abs=1)  # the median behind it
    assert laid.boxes.shape == (1, 4, 4) and laid.hides.shape == (4, 32, 32)
    pictures = [[(clip[:1], see_alone(clip[:1], [np.array([[8.0, 8, 24, 24]])]))] for clip, _ in (drawn(100), drawn(200))]
    assert lay_out_events(pictures, solos, True).clip[:, 0, 0, 0].tolist() == [100, 200, 200, 200]
    assert lay_out_events(pictures, solos, False).clip[:, 0, 0, 0].tolist() == [100]
