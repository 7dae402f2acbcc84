"""Disen-Mix through regions, against literal calls one picture at a time, and against the attention of sampling."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.methods import SUBJECTS
from tests.helpers.pictures import noise_picture
from tests.helpers.training import make_settings, make_trainee, parts_of, shake_lora
from vd_core.bases.attention import training_attention
from vd_core.bases.box_masks import box_masks
from vd_core.bases.encode import embed_prompts, tokenize
from vd_core.bases.region_attention import RegionAttention, position_masks
from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.customisation.weights import LORA_FILE
from vd_core.generation.attention import Conditions, text_attention
from vd_core.generation.regions import Regions
from vd_core.generation.unet import embed_texts
from vd_core.inputs.prompts import extended_prompt, mixed_prompt, repeated_prompt
from vd_core.inputs.scattering import Scattered
from vd_core.inputs.scenes import Scene, part_prompts
from vd_core.methods.disen_mix import finetune, train_step
from vd_core.training.data import FinetuningData, build_data, draw_batch
from vd_core.training.loop import Progress
from vd_core.training.step import SplitUNet

LEFT, RIGHT = (0.0, 0.25, 0.5, 1.0), (0.5, 0.0, 1.0, 0.75)
OWN = make_settings(disen_mix={"regions": True, "weak_denoising": 0.25}).disen_mix
ONE = pytest.mark.parametrize("kind", ["sd1"], indirect=True)


def scattered_data(base: Base, strips: int = 0, repeat: bool = False) -> FinetuningData:
    """Two subjects, some strips, three pictures of cut-outs; regions' texts of their own if they `repeat` the subject."""
    side = (base.resolution,) * 2
    pictures = [[noise_picture(10 * s + i, side) for i in range(2)] for s in range(2)]
    scattered = [Scattered(np.array(noise_picture(50 + i, side)), (LEFT, RIGHT)) for i in range(3)]
    mixed = [noise_picture(90 + i, side) for i in range(strips)]
    prompts = [s.instance_prompt for s in SUBJECTS]
    regions = [repeated_prompt(p, 2) for p in prompts] if repeat else []
    return build_data(base, pictures, mixed, prompts, extended_prompt(SUBJECTS), scattered, mixed_prompt(SUBJECTS), regions)


@pytest.mark.parametrize("plain", [True, False])
@torch.no_grad()
def test_it_attends_as_sampling_does(base: Base, plain: bool) -> None:
    """Otherwise the boxes of training would not be those of sampling."""
    attn = next(m for n, m in base.unet.named_modules() if n.endswith("attn2"))
    x = torch.randn(1, 64, attn.to_q.in_features, generator=torch.Generator().manual_seed(0))
    embeds = embed_prompts(base, ["a dog, a cat", "a sks dog", "a krk cat"])[1:]
    boxes = torch.tensor([LEFT, RIGHT])
    regions = Regions(
        embeds[None, 1:], boxes[None, :, None], torch.ones(2, 1, 2, 1), torch.zeros(1, 1, dtype=torch.long), torch.tensor([False])
    )
    places = regions.placed(embed_texts(base.unet, regions.embeds.flatten(0, 1)), late=False, prompted=True)
    wanted = text_attention(attn, x, torch.Size((8, 8)), Conditions({}, embed_texts(base.unet, embeds[:1]), 1, 1, None, places))
    found = RegionAttention(plain)(attn, x, embeds.flatten(0, 1)[None], boxes=boxes[None])
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


@ONE
@torch.no_grad()
def test_boxes_without_an_area_change_nothing(base: Base) -> None:
    latents, embeds = torch.randn(1, 4, 8, 8), embed_prompts(base, ["a dog", "a cat"])[1:]
    plain = base.unet(latents, 5, embeds[:1]).sample
    with training_attention(base.unet, base.device, regions=True):
        texts, none = embeds.flatten(0, 1)[None], {"boxes": torch.zeros(1, 1, 4)}
        torch.testing.assert_close(base.unet(latents, 5, texts, cross_attention_kwargs=none).sample, plain, rtol=1e-4, atol=1e-5)
        whole = {"boxes": torch.tensor([[[0.0, 0.0, 1.0, 1.0]]])}
        second = base.unet(latents, 5, embeds[1:]).sample
        torch.testing.assert_close(base.unet(latents, 5, texts, cross_attention_kwargs=whole).sample, second, rtol=1e-4, atol=1e-5)


def test_masks_never_exceed_one() -> None:
    boxes = torch.tensor([[LEFT, (0.25, 0.0, 0.75, 1.0)]])
    assert float(position_masks(boxes, 64).sum(1).max()) <= 1 + 1e-6
    assert float(position_masks(torch.zeros(1, 2, 4), 64).sum()) == 0


@pytest.mark.parametrize("repeat", [False, True])
def test_one_batched_step_equals_literal_calls(base: Base, repeat: bool) -> None:
    """L1, L2 and L3 as ever, in mixed pictures with each subject's own text in its box; and one subject alone, its loss in its box."""
    adapter = make_trainee(base)
    shake_lora(base)
    batch = draw_batch(scattered_data(base, repeat=repeat), torch.Generator().manual_seed(0), 1, 2)
    parts = parts_of(base, adapter)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad(), training_attention(base.unet, base.device, regions=True):
        losses = train_step(base, parts, batch, generator, OWN)
        again = torch.Generator().manual_seed(5)
        noised = base.add_noise(batch.latents, again)
        chosen = torch.randint(2, (2,), generator=again)
        embeds = base.text_encoder(batch.prompt_ids).last_hidden_state
        texts = embeds[-2:] if repeat else embeds[:2]
        own, f = texts.flatten(0, 1), adapter(batch.image_embeds)[:, None]

        def squared(i: int, text: torch.Tensor, boxes: torch.Tensor | None) -> torch.Tensor:
            more = {} if boxes is None else {"cross_attention_kwargs": {"boxes": boxes[None]}}
            said = text[None] if boxes is None else torch.cat([text, own])[None]
            return (base.unet(noised.latents[i : i + 1], noised.timesteps[i], said, **more).sample[0] - noised.target[i]).square()

        boxes = torch.tensor([LEFT, RIGHT])
        separate = sum(squared(i, embeds[i], None).mean() for i in range(2))
        disentangled = sum(squared(2 + j, embeds[3] + f[j], boxes).mean() for j in range(2)) / 2
        weak = 0.25 * sum(squared(2 + j, embeds[3], boxes).mean() for j in range(2)) / 2
        alone = torch.zeros(())
        for j, subject in enumerate(chosen.tolist()):
            mask = box_masks(boxes[subject], torch.Size((8, 8))).unflatten(-1, (8, 8))
            alone = alone + (squared(2 + j, texts[subject], None).mean(0) * mask).sum() / mask.sum() / 2
    found = [float(losses[k]) for k in ("separate", "disentangled", "weak_denoising", "alone")]
    assert found == pytest.approx([float(v) for v in (separate, disentangled, weak, alone)], rel=1e-4)
    assert float(losses["loss"]) == pytest.approx(sum(found), rel=1e-5)


@ONE
def test_strips_keep_their_prompt_and_have_no_boxes(base: Base) -> None:
    data = scattered_data(base, strips=2)
    assert data.mixed_prompts.tolist() == [2, 2, 3, 3, 3]
    assert data.boxes is not None and data.boxes[:2].abs().sum() == 0 and torch.equal(data.boxes[2], torch.tensor([LEFT, RIGHT]))
    ids = [
        base.tokenizer(p, padding="max_length", max_length=data.prompt_ids.shape[1]).input_ids
        for p in (extended_prompt(SUBJECTS), mixed_prompt(SUBJECTS))
    ]
    assert data.prompt_ids[2:].tolist() == ids


@ONE
def test_a_regions_text_repeats_its_subject_as_in_sampling(base: Base) -> None:
    data = scattered_data(base, repeat=True)
    scene = Scene("", {s.name: "" for s in SUBJECTS}, None, False, ())
    said = list(part_prompts(SUBJECTS, scene, repeat=True).values())
    assert data.own_prompts.tolist() == [4, 5] and torch.equal(data.prompt_ids[4:], tokenize(base, said))
    assert scattered_data(base).own_prompts.tolist() == [0, 1]


@ONE
def test_parts_of_a_batch_are_the_batch(base: Base) -> None:
    adapter = make_trainee(base)
    batch = draw_batch(scattered_data(base), torch.Generator().manual_seed(0), 1, 2)
    with training_attention(base.unet, base.device, regions=True):
        parts = parts_of(base, adapter)
        whole = train_step(base, parts, batch, torch.Generator().manual_seed(5), OWN)
        split = train_step(base, {**parts, "unet": SplitUNet(base.unet, 2)}, batch, torch.Generator().manual_seed(5), OWN)
    assert {k: v.item() for k, v in split.items()} == pytest.approx({k: v.item() for k, v in whole.items()}, rel=1e-4)


@ONE
def test_regions_are_learned_and_the_same_each_time(base_folders: dict[str, Path], kind: str, tmp_path: Path) -> None:
    weights = {}
    for name, regions in (("with", True), ("again", True), ("without", False)):
        base = load_base(folder_source(base_folders[kind]), torch.device("cpu"))
        side = (base.resolution,) * 2
        pictures = [[noise_picture(10 * s + i, side) for i in range(2)] for s in range(2)]
        scattered = [Scattered(np.array(noise_picture(50, side)), (LEFT, RIGHT))]
        settings = make_settings(schedule={"steps": 3}, disen_mix={"regions": regions})
        folder = tmp_path / name
        finetune(base, SUBJECTS, pictures, [noise_picture(90, side)], settings, Progress(folder / "progress"), folder, scattered)
        weights[name] = (folder / LORA_FILE).read_bytes()
    assert weights["with"] == weights["again"] != weights["without"]
