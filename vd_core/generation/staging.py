"""Each subject drawn alone first, all of them laid into their boxes, and the picture drawn on from there (docs/regions.md).

SDEdit (Meng et al. 2022) from a collage, as Collage Diffusion (Sarukkai et al. 2023) has it; here what is laid out was drawn by the same base.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from vd_core.bases.encode import decode, embed_prompts
from vd_core.bases.latents import encode_pictures
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.guides import Guides, Solos, Stage
from vd_core.generation.pictures import generate_latents
from vd_core.generation.takes import Director, Draw, Drawn, draw_alone
from vd_core.generation.together import batch_of_pictures
from vd_core.inputs.scenes import Box, Scene, alone_prompts, ask_alone, event_starts
from vd_core.inputs.staging import Laid, set_stage
from vd_core.inputs.subjects import Subject
from vd_core.seeds import seed_for
from vd_core.settings import Sampling

WITHIN = 0.5
"""Latents that a subject covers to this share are its own: they are not drawn on."""


def draw_picture_with(base: Base, sampling: Sampling) -> Draw:
    """Subjects alone in single pictures."""

    def draw(prompt_embeds: torch.Tensor, seeds: list[int]) -> torch.Tensor:
        return decode(base, generate_latents(base, prompt_embeds, seeds, sampling.num_inference_steps, sampling.guidance_scale))[:, None]

    return draw


def draw_clip_with(generate: Callable[..., torch.Tensor]) -> Draw:
    """Subjects alone in clips of a generator (`vd_core.generation.customised`), one after the other."""
    return lambda prompt_embeds, seeds: torch.cat([generate(prompt_embeds[[0, 1 + i]], [seed]) for i, seed in enumerate(seeds)])


def draw_still_with(base: Base, generate: Callable[..., torch.Tensor]) -> Draw:
    """Subjects alone in pictures of AnimateDiff's image modules, as many at once as fit."""

    def draw(prompt_embeds: torch.Tensor, seeds: list[int]) -> torch.Tensor:
        batch = batch_of_pictures(base)
        parts = [range(i, min(i + batch, len(seeds))) for i in range(0, len(seeds), batch)]
        return torch.cat([generate(prompt_embeds[[0, *(1 + i for i in part)]], [seeds[i] for i in part], still=True) for part in parts])

    return draw


def cast_alone(base: Base, subjects: list[Subject], scenes: list[Scene], guides: Guides, layout: list[Box] | None = None) -> Guides:
    """The guides of the clips of `scenes`, with what each subject is asked for with alone; those of scenes with events too if there is a `layout` for them."""
    if guides.regions is None:
        return guides
    boxes, alone = guides.regions.boxes, []
    for own, scene in zip(boxes, scenes, strict=True):
        if layout and not scene.actions:
            own = torch.tensor(layout).to(boxes)[:, None].expand(-1, boxes.shape[2], -1)
        prompts = alone_prompts(subjects, scene) if layout or scene.actions else []
        starts = event_starts(scene, boxes.shape[2])
        alone.append(Solos(embed_prompts(base, prompts), ask_alone(subjects, scene), own, starts) if prompts else None)
    return replace(guides, alone=alone)


def set_stages(base: Base, director: Director, draw: Draw, guides: Guides, seeds: list[int]) -> Guides:
    """The guides of clips, one a seed, each with its own stage; unchanged if one has nobody to be drawn alone. Who walks out of a box takes it along."""
    if guides.regions is None or not (alone := [own for own in guides.alone or () if own is not None]) or len(alone) < len(seeds):
        return guides
    count, clips = len(director.subjects), [(own, seed) for own, seed in zip(alone, seeds, strict=True)]
    own_seeds = [seed_for("alone", seed, k) for own, seed in clips for _ in own.starts for k in range(count)]
    texts = torch.cat([alone[0].embeds[:1], *(own.embeds[1:] for own in alone)])
    asked = [one for own in alone for one in own.asked]
    drawn = iter(draw_alone(director, draw, texts, own_seeds, asked))
    boxes, stages = guides.regions.boxes.clone(), []
    for i, own in enumerate(alone):
        laid = lay_out_events([[next(drawn) for _ in range(count)] for _ in own.starts], own, guides.held[i])
        stages.append(take_stage(base, laid, director.share))
        if len(own.starts) == 1 and len(laid.clip) == boxes.shape[2]:
            boxes[i] = torch.from_numpy(laid.boxes).to(boxes)
    if base.low_vram:
        base.let_go("vae")  # the U-Net needs its room
    return replace(guides, regions=replace(guides.regions, boxes=boxes), stage=join_stages(stages))


def take_stage(base: Base, laid: Laid, share: float) -> Stage:
    """A clip that was laid out, encoded: what it is drawn on from, and what of it stays as it is."""
    latents = encode_pictures(base.vae, [Image.fromarray(frame) for frame in laid.clip], None).mean
    held = find_held(laid.hides, base.latent_shape)
    cover = torch.minimum(torch.from_numpy(laid.hides).float()[:, None], F.interpolate(held.float(), laid.hides.shape[1:], mode="bilinear"))
    pixels = torch.from_numpy(laid.clip).permute(0, 3, 1, 2)
    return Stage(latents[None], share, held.to(base.device)[None], pixels[None], cover[None])


def join_stages(stages: list[Stage]) -> Stage:
    """Stages of clips of as many frames as one."""
    parts = ([getattr(own, name) for own in stages] for name in ("latents", "held", "pixels", "cover"))
    latents, held, pixels, cover = (torch.cat(own) for own in parts)
    return Stage(latents, stages[0].share, held, pixels, cover)


def find_held(hides: np.ndarray, latent_shape: tuple[int, int, int]) -> torch.Tensor:
    """Which latents `[f, 1, h, w]` lie within subjects that hide so much of the place, `[f, height, width]`."""
    return F.adaptive_avg_pool2d(torch.from_numpy(hides).float()[:, None], latent_shape[1:]) >= WITHIN


def lay_out_events(drawn: list[list[Drawn]], solos: Solos, held: bool) -> Laid:
    """A clip of all subjects, event after event; of pictures that are not `held` its first frame alone."""
    boxes = solos.boxes.cpu().numpy()
    frames = boxes.shape[1] if held else len(drawn[0][0][0])
    starts = [start for start in solos.starts if start < frames]
    parts = [slice(start, end) for start, end in zip(starts, [*starts[1:], frames], strict=True)]
    laid = [lay_out([cut_part(one, part) for one in own], boxes[:, part]) for own, part in zip(drawn, parts, strict=False)]
    clip, gone, hides = zip(*((own.clip, own.boxes, own.hides) for own in laid), strict=True)
    return Laid(np.concatenate(clip), np.concatenate(gone, 1), np.concatenate(hides))


def cut_part(drawn: Drawn, part: slice) -> Drawn:
    """Some frames of what was drawn of a subject; a picture lasts."""
    clip, alone = drawn
    if len(clip) == 1:
        return drawn
    return clip[part], alone and replace(alone, clip=alone.clip[part], path=alone.path[part])


def lay_out(drawn: list[Drawn], boxes: np.ndarray) -> Laid:
    """All subjects in one clip, in their boxes `[r, f, 4]` (`set_stage`); the first one's own clip, or its picture f times, if none was found."""
    alone, clip = [own for _, own in drawn], drawn[0][0]
    if any(alone):
        return set_stage(alone, boxes)
    whole = clip.repeat(boxes.shape[1] // len(clip), 0)
    return Laid(whole, boxes, np.zeros(whole.shape[:3]))
