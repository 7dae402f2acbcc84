"""What lies within a subject that was drawn alone is held: it is not drawn on, and is seen as it was."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vd_core.bases.encode import embed_prompts
from vd_core.bases.stable_diffusion import Base
from vd_core.generation import animatediff, text2video_zero
from vd_core.generation.animatediff import build_animatediff, generate_animatediff
from vd_core.generation.guides import Guides, Stage, build_guides, put_back
from vd_core.generation.layouts import place_automatically
from vd_core.generation.pictures import generate_latents, show
from vd_core.generation.regions import Regions
from vd_core.generation.staging import find_held, take_stage
from vd_core.generation.text2video_zero import generate_text2video_zero
from vd_core.generation.unet import unroll
from vd_core.inputs.scenes import read_scene
from vd_core.inputs.staging import Laid
from vd_core.inputs.subjects import Subject

SUBJECTS = [Subject("dog", "dog", "sks", None), Subject("cat", "cat", "krk", None)]
SCENE = read_scene({"scene": "in the snow", "subjects": {"dog": "is jumping", "cat": ""}})
on_one_base = pytest.mark.parametrize("kind", ["sd1"], indirect=True)


def regions_of_picture(base: Base) -> Regions | None:
    return build_guides(base, SUBJECTS, [SCENE], [place_automatically(2)], 1, False).regions


def test_latents_within_a_subject_are_held() -> None:
    hides = np.zeros((2, 16, 16))
    hides[0, 4:12, 4:12], hides[1, :, 2:4] = 1, 0.9
    held = find_held(hides, (4, 4, 4))
    assert held.shape == (2, 1, 4, 4) and held[0, 0].int().tolist() == [[0] * 4, [0, 1, 1, 0], [0, 1, 1, 0], [0] * 4] and not held[1].any()


@on_one_base
@torch.no_grad()
def test_what_is_held_ends_as_it_was_laid(base: Base) -> None:
    """And the rest is drawn on, in pictures and in clips of both generators."""
    assert base.motion_adapter is not None
    animated, zero, frames = unroll(build_animatediff(base, base.motion_adapter).unet), unroll(base.unet), 3
    embeds, latents = embed_prompts(base, ["a sks dog, a krk cat in the snow"]), torch.randn(1, frames, *base.latent_shape)
    held = torch.zeros(1, frames, 1, *base.latent_shape[1:], dtype=torch.bool)
    held[..., :2] = True
    shown: list[torch.Tensor] = []

    def remember(base: Base, latents: torch.Tensor) -> torch.Tensor:
        shown.append(latents)
        return torch.zeros(len(latents), 3, 8, 8)

    with pytest.MonkeyPatch.context() as patch:
        for module in (animatediff, text2video_zero):
            patch.setattr(module, "decode", remember)
        guides = Guides(None, [None], [False], stage=Stage(latents, 0.5, held))
        generate_animatediff(base, animated, embeds, [7], frames, 8, 3.0, False, guides=guides)
        generate_text2video_zero(base, zero, embeds, [7], frames, 8, 3.0, (8.0, 8.0), 5, 4, False, guides=guides)
    picture = Stage(latents[:, :1], 0.5, held[:, :1])
    regions = regions_of_picture(base)
    shown.append(generate_latents(base, embeds, [7], 8, 3.0, regions, picture))
    for own in shown:
        assert torch.equal(own[..., :2], latents[0, : len(own), ..., :2])
        assert (own - latents[0, : len(own)])[..., 2:].abs().min() > 0


@on_one_base
@torch.no_grad()
def test_what_is_held_is_seen_as_it_was_laid(base: Base) -> None:
    """Its own pixels, not those of the autoencoder, in pictures and in clips whose every frame was laid out; what is drawn on is the decoder's."""
    assert base.motion_adapter is not None
    animated, zero, frames, side = unroll(build_animatediff(base, base.motion_adapter).unet), unroll(base.unet), 3, base.resolution
    clip = np.random.default_rng(0).integers(0, 256, (frames, side, side, 3), dtype=np.uint8)
    hides = np.zeros((frames, side, side))
    hides[:, side // 4 : -side // 4, side // 4 : -side // 4] = 1
    stage, embeds = take_stage(base, Laid(clip, np.zeros((1, frames, 4)), hides), 0.5), embed_prompts(base, ["a sks dog"])
    assert stage.cover is not None and stage.cover.shape == (1, frames, 1, side, side)
    inside, edge = stage.cover[0, 0, 0] == 1, stage.cover[0, 0, 0] > 0
    assert inside.any() and not edge[: side // 4].any() and edge.sum() > inside.sum(), "it fades at its edge"
    first = Stage(*(own[:, :1] if isinstance(own, torch.Tensor) else own for own in vars(stage).values()))
    guides = Guides(None, [None], [False], stage=stage)
    drawn = generate_latents(base, embeds, [7], 8, 3.0, regions_of_picture(base), first)
    made = {
        "animatediff": generate_animatediff(base, animated, embeds, [7], frames, 8, 3.0, False, guides=guides)[0],
        "zero": generate_text2video_zero(base, zero, embeds, [7], frames, 8, 3.0, (8.0, 8.0), 5, 4, False, guides=guides)[0],
        "picture": torch.from_numpy(np.array(show(base, drawn, first)[0])).permute(2, 0, 1)[None] / 127.5 - 1,
    }
    laid = torch.from_numpy(clip).permute(0, 3, 1, 2) / 127.5 - 1
    for own in made.values():
        assert torch.allclose(own[..., inside], laid[: len(own)][..., inside], atol=1e-5)
        assert float((own - laid[: len(own)])[..., ~edge].abs().mean()) > 0.1
    decoded = torch.zeros(1, frames, 3, side, side)
    assert put_back(decoded, first) is decoded and put_back(decoded, None) is decoded
    assert put_back(decoded, replace(stage, pixels=None)) is decoded
