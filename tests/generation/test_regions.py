"""Prompts that count in a part of the picture: where, how much, and nowhere else."""

from itertools import product

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from vd_core.bases.box_masks import FEATHER, box_masks
from vd_core.bases.encode import embed_prompts
from vd_core.bases.published import build_part
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.animatediff import build_animatediff, generate_animatediff
from vd_core.generation.attention import Conditions, self_attention, text_attention
from vd_core.generation.guides import Guides, build_guides
from vd_core.generation.layouts import count_layouts, place_automatically
from vd_core.generation.pictures import generate_latents
from vd_core.generation.regions import Places, Regions, move_box
from vd_core.generation.text2video_zero import generate_text2video_zero
from vd_core.generation.unet import call_unet, embed_texts, embed_times, unroll
from vd_core.inputs.scenes import read_scene
from vd_core.inputs.subjects import Subject

SUBJECTS = [Subject("dog", "dog", "sks", None), Subject("cat", "cat", "krk", None)]
SIZE = torch.Size((16, 16))
LEFT, RIGHT = [0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]


def regions_of(base: Base, prompts: list[str], boxes: list[list[float]], frames: int = 1, bounded: bool = False) -> Regions:
    """One clip's regions."""
    where = torch.tensor(boxes)[None, :, None].expand(1, -1, frames, 4)
    weights, starts = torch.ones(2, 1, len(boxes), frames), torch.zeros(1, frames, dtype=torch.long)
    return Regions(embed_prompts(base, prompts)[1:][None], where, weights, starts, torch.tensor([bounded]))


def places_of(base: Base, regions: Regions) -> Places:
    return regions.placed(embed_texts(base.unet, regions.embeds.flatten(0, 1)), late=False, prompted=True)


def difference(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max())


@torch.no_grad()
def test_one_region_over_the_whole_picture_is_the_plain_prompt(base: Base) -> None:
    """In pictures, Text2Video-Zero and AnimateDiff; and the region's prompt counts, not the picture's."""
    embeds, other = embed_prompts(base, ["a sks dog"]), embed_prompts(base, ["a cat in the snow"])
    whole = [[0.0, 0.0, 1.0, 1.0]]
    adapter = base.motion_adapter
    assert adapter is not None
    zero, animated = unroll(base.unet), unroll(build_animatediff(base, adapter).unet)
    makes = {
        1: lambda e, r: generate_latents(base, e, [3], 5, 3.0, r),
        3: lambda e, r: generate_text2video_zero(
            base, zero, e, [3], 3, 8, 3.0, (0.0, 0.0), 6, 4, False, guides=r and Guides(r, [None], [False])
        ),
        4: lambda e, r: generate_animatediff(base, animated, e, [3], 4, 5, 3.0, False, guides=r and Guides(r, [None], [False])),
    }
    for frames, make in makes.items():
        plain = make(embeds, None)
        regions = regions_of(base, ["a sks dog"], whole, frames)
        torch.testing.assert_close(make(other, regions), plain, rtol=1e-3, atol=2e-4)
        assert difference(make(other, None), plain) > 1e-2


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
@torch.no_grad()
def test_a_regions_prompt_has_no_influence_outside_its_box(base: Base) -> None:
    """Beyond the feathered edge not a bit changes of what a text attention gives; inside it does."""
    attn = next(m for n, m in base.unet.named_modules() if n.endswith("attn2"))
    x = torch.randn(2, SIZE.numel(), attn.to_q.in_features, generator=torch.Generator().manual_seed(0))
    texts = embed_texts(base.unet, embed_prompts(base, ["a dog, a cat in the snow"]))

    def look(second: str) -> torch.Tensor:
        places = places_of(base, regions_of(base, ["a sks dog", second], [LEFT, RIGHT]))
        return text_attention(attn, x, SIZE, Conditions({}, texts, 2, 1, None, places)).unflatten(1, SIZE)

    moved = (look("a krk cat") - look("a red bird")).abs().amax(-1)
    edge = round(16 * (0.5 - FEATHER / 2))
    assert float(moved[0].max()) == 0  # the empty prompt's branch
    assert float(moved[1, :, :edge].max()) == 0 and float(moved[1, :, 9:].min()) > 0


@torch.no_grad()
def test_a_clip_without_regions_is_the_same_beside_one_with_them(base: Base) -> None:
    """Its row of weights is zero: the very bits of the plain call."""
    net, sample = unroll(base.unet), torch.randn(4, *base.latent_shape)
    embeds = embed_prompts(base, ["a dog", "a cat"])[[0, 0, 1, 2]]
    times = {block: own[0] for block, own in embed_times(base.unet, torch.tensor([500])).items()}
    regions = regions_of(base, ["a sks dog"], [LEFT])
    both = regions.of([0, 0])
    both.weights[:, 1] = 0
    plain = Conditions(times, embed_texts(base.unet, embeds), 4, 1, None)
    got, _ = call_unet(net, sample[:2], Conditions(plain.times, plain.texts, 4, 1, None, places_of(base, both)))
    expected, _ = call_unet(net, sample[:2], plain)
    assert torch.equal(got[3], expected[3]) and torch.equal(got[:2], expected[:2])
    assert difference(got[2], expected[2]) > 1e-4


def test_masks_fade_at_edges_and_not_at_the_pictures_border() -> None:
    boxes = torch.tensor([LEFT, RIGHT, [0.0, 0.0, 1.0, 1.0], [0.25, 0.25, 0.75, 0.75]])
    left, right, whole, middle = box_masks(boxes, SIZE).unflatten(-1, SIZE)
    assert torch.equal(left + right, torch.ones(SIZE)) and torch.equal(whole, torch.ones(SIZE))
    assert float(left[:, 0].min()) == 1 and float(left[:, -1].max()) == 0 and 0 < float(left[0, 7]) < 1
    assert float(middle[8, 8]) == 1 and float(middle[0].max()) == 0


@pytest.mark.parametrize("first_frame", [None, {}])
@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
@torch.no_grad()
def test_bounded_self_attention_keeps_subjects_apart(base: Base, kind: str, first_frame: dict | None) -> None:
    """What stands in the right box says nothing to the left one, and everything to the background between them."""
    attn = next(m for n, m in base.unet.named_modules() if n.endswith("attn1"))
    regions = regions_of(base, ["a dog", "a cat"], [[0.0, 0.0, 0.25, 1.0], [0.75, 0.0, 1.0, 1.0]], frames=2, bounded=True)
    x = torch.randn(2, *SIZE, attn.to_q.in_features, generator=torch.Generator().manual_seed(0))
    changed = x.clone()
    changed[0, :, 12:] += 1

    def look(states: torch.Tensor) -> torch.Tensor:
        kept = None if first_frame is None else {}
        conditions = Conditions({}, {}, 1, 2, kept, places_of(base, regions))
        return self_attention(attn, states.flatten(1, 2), SIZE, conditions).unflatten(1, SIZE)

    moved = (look(changed) - look(x)).abs().amax(-1)
    later = 0 if first_frame is None else 1
    assert float(moved[:, :, :4].max()) < 1e-6 < float(moved[0, :, 4:12].min())
    assert (float(moved[1, :, 4:].min()) > 1e-6) == bool(later)


def test_automatic_layouts() -> None:
    """Columns up to three or what a base's preset says, two rows beyond; no two overlap; every number is another layout until they repeat."""
    for count, most in product(range(1, 7), (3, 4)):
        layouts = [place_automatically(count, i, most) for i in range(count_layouts(count, most))]
        assert len({tuple(boxes) for boxes in layouts}) == len(layouts)
        for boxes in layouts:
            rows = 1 if count <= most else 2
            assert len(boxes) == count and len({box[1] for box in boxes}) == rows
            assert [box[3] - box[1] for box in boxes] == pytest.approx([0.8 / rows] * count)  # a fifth of each row is left above
            for i, a in enumerate(boxes):
                assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for b in boxes[:i])


def test_boxes_over_time_go_straight_from_one_to_the_next() -> None:
    track = torch.tensor([[0.0, 0.0, 0.2, 1.0], [0.4, 0.0, 0.6, 1.0], [0.4, 0.2, 0.6, 1.0]])
    boxes = move_box(track, 5)
    assert boxes[:, 0].tolist() == pytest.approx([0, 0.2, 0.4, 0.4, 0.4]) and boxes[:, 1].tolist() == pytest.approx([0, 0, 0, 0.1, 0.2])
    assert torch.equal(move_box(track[:1], 3), track[:1].expand(3, 4))


@torch.no_grad()
def test_a_step_with_regions_costs_little() -> None:
    """At most 15% of a step's operations for six subjects, counted on Stable Diffusion 1.5's shapes."""
    with torch.device("meta"):
        unet = build_part("sd15", "unet")
        net, latents = unroll(unet), torch.empty(1, 4, 64, 64)
        times = {block: own[0] for block, own in embed_times(unet, torch.empty(1)).items()}
        texts, own = (embed_texts(unet, torch.empty(n, 77, 768)) for n in (2, 6))
        still, boxes = torch.zeros(1, 1), torch.zeros(1, 6, 1, 4)
        places = Places(own, boxes, boxes[..., 0], still, torch.tensor([False], device="cpu"), boxes[:, :, 0], still, True)
        counts = []
        for conditions in (Conditions(times, texts, 2, 1, None), Conditions(times, texts, 2, 1, None, places)):
            with FlopCounterMode(display=False) as counter:
                call_unet(net, latents, conditions)
            counts.append(counter.get_total_flops())
    assert 1.0 < counts[1] / counts[0] < 1.15


@torch.no_grad()
def test_a_scene_with_regions_draws_and_its_seed_is_its_own(base: Base) -> None:
    """From YAML to pictures: alone and beside a scene without regions."""
    raw = {"scene": "in the snow", "subjects": {"dog": "is jumping", "cat": "is spinning"}}
    scenes = [read_scene(raw), read_scene("in the city")]
    guides = build_guides(base, SUBJECTS, scenes, [place_automatically(2)] * 2, 1, repeat=False)
    embeds = embed_prompts(base, ["a sks dog, a krk cat in the snow", "a sks dog, a krk cat in the city"])
    together = generate_latents(base, embeds, [1, 2], 4, 3.0, guides.regions)
    alone = generate_latents(base, embeds[:2], [1], 4, 3.0, guides.of([0]).regions)
    torch.testing.assert_close(together[:1], alone, rtol=1e-3, atol=1e-4)
    plain = generate_latents(base, embeds[[0, 2]], [2], 4, 3.0)
    torch.testing.assert_close(together[1:], plain, rtol=1e-3, atol=1e-4)
    assert difference(together[:1], generate_latents(base, embeds[:2], [1], 4, 3.0)) > 1e-3
