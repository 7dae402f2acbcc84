"""Each subject drawn alone first, all of them laid into their boxes, and the picture drawn on from there (docs/regions.md).

SDEdit (Meng et al. 2022) from a collage, as Collage Diffusion (Sarukkai et al. 2023) has it; here what is laid out was drawn by the same base.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image

from vd_core.bases.encode import decode, embed_prompts
from vd_core.bases.latents import encode_pictures
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.guides import Guides, Stage
from vd_core.generation.pictures import generate_latents
from vd_core.inputs.cutouts import Find
from vd_core.inputs.pictures import to_pictures
from vd_core.inputs.scenes import Scene, part_prompts
from vd_core.inputs.staging import Alone, see_alone, set_stage
from vd_core.inputs.subjects import Subject
from vd_core.seeds import seed_for
from vd_core.settings import Sampling

TRIES = 3
"""How often a subject is drawn alone until it is found in what was drawn."""

Draw = Callable[[torch.Tensor, int], torch.Tensor]
"""(the embeddings `[2, length, width]` of the empty prompt and of a subject's own, a seed) to a clip `[f, 3, h, w]` in [-1, 1]; a picture is a clip of one frame."""


@dataclass(frozen=True)
class Director:
    """Who finds the subjects in what was drawn, and the `share` of the steps in which all are drawn together."""

    find: Find
    subjects: list[Subject]
    share: float


def draw_picture_with(base: Base, sampling: Sampling) -> Draw:
    """Subjects alone in single pictures."""

    def draw(prompt_embeds: torch.Tensor, seed: int) -> torch.Tensor:
        return decode(base, generate_latents(base, prompt_embeds, [seed], sampling.num_inference_steps, sampling.guidance_scale))

    return draw


def draw_clip_with(generate: Callable[..., torch.Tensor]) -> Draw:
    """Subjects alone in clips of a generator (`vd_core.generation.customised`)."""
    return lambda prompt_embeds, seed: generate(prompt_embeds, [seed])[0]


def embed_alone(base: Base, subjects: list[Subject], scenes: list[Scene]) -> list[torch.Tensor | None]:
    """The embeddings `[1 + r, length, width]` of the empty prompt and of each subject's own in its scene, for `Guides.alone`; None for a scene without regions."""
    return [embed_prompts(base, list(part_prompts(subjects, scene, repeat=False).values())) if scene.actions else None for scene in scenes]


def set_stages(base: Base, director: Director, draw: Draw, guides: Guides, seeds: list[int]) -> Guides:
    """The guides of clips, one a seed, each with its own stage; unchanged if one has nobody to be drawn alone. Who walks out of a box takes it along."""
    if guides.regions is None or not (alone := [own for own in guides.alone or () if own is not None]) or len(alone) < len(seeds):
        return guides
    boxes, latents = guides.regions.boxes.clone(), []
    for i, (own, seed) in enumerate(zip(alone, seeds, strict=True)):
        drawn = [
            draw_alone(director.find, draw, s.class_noun, own[[0, 1 + k]], seed_for("alone", seed, k))
            for k, s in enumerate(director.subjects)
        ]
        frames = len(drawn[0][0])
        canvas, gone = lay_out(drawn, boxes[i, :, :frames].cpu().numpy())
        boxes[i, :, :frames] = torch.from_numpy(gone).to(boxes)
        latents.append(encode_pictures(base.vae, [Image.fromarray(frame) for frame in canvas], None).mean)
    moved = boxes if latents[0].shape[0] == boxes.shape[2] else guides.regions.boxes
    return replace(guides, regions=replace(guides.regions, boxes=moved), stage=Stage(torch.stack(latents), director.share))


def draw_alone(find: Find, draw: Draw, noun: str, prompt_embeds: torch.Tensor, seed: int) -> tuple[np.ndarray, Alone | None]:
    """A subject's clip of uint8 `[f, h, w, 3]`, and where it stands in it; the last of TRIES clips and None if it is found in none."""
    for k in range(TRIES):
        clip = np.stack([np.array(picture) for picture in to_pictures(draw(prompt_embeds, seed_for("try", seed, k)))])
        if alone := see_alone(clip, [find(frame, noun) for frame in clip]):
            return clip, alone
    return clip, None


def lay_out(drawn: list[tuple[np.ndarray, Alone | None]], boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All subjects in one clip and their boxes (`set_stage`); the first one's own clip if none was found."""
    alone = [own for _, own in drawn]
    return set_stage(alone, boxes) if any(alone) else (drawn[0][0], boxes)
