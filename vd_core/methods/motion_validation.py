"""How far a motion finetuning is while it runs: clips of the subjects' classes, and whether what they show goes the reference's way."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AnimateDiffPipeline, UNetMotionModel

from vd_core.bases.encode import decode, embed_prompts
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.animatediff import draw_clip_noise, make_video_scheduler
from vd_core.inputs.copies import Reference, say_action
from vd_core.inputs.cutouts import Find
from vd_core.inputs.pictures import contact_sheet, to_pictures
from vd_core.inputs.tracks import for_each
from vd_core.methods.motion import Validate
from vd_core.metrics.motion_path import path_correlation
from vd_core.seeds import seed_for
from vd_core.settings import MotionSettings, Sampling

STEPS = 25
SHOWN = 8
"""Frames of a clip on the contact sheet."""


def build_motion_validation(
    base: Base, find: Find, reference: Reference, nouns: list[str], settings: MotionSettings, sampling: Sampling, folder: Path
) -> Validate:
    """A function of the model and the step that draws clips of all `nouns`, writes `<step>.jpg` into `folder`, and tracks what they show.

    Its figures: `path`, the mean correlation with the reference's paths; `found`, the share of frames that show each noun; `score`, their product.
    Every validation has the same noise.
    """
    count = settings.validation.pictures
    prompts = [say_action(reference, nouns, settings.places[i % len(settings.places)]) for i in range(count)]
    embeds = embed_prompts(base, prompts)
    paths = for_each(reference.paths, len(nouns), base.resolution)
    ways = [(path[:, :2] + path[:, 2:]) / 2 for path in paths] if len(reference.paths) else []

    def validate(model: UNetMotionModel, step: int) -> dict[str, float]:
        rows, sheet = [], []
        for i in range(count):
            seed = seed_for("motion validation", settings.schedule.seed, i)
            frames = draw_clip(base, model, embeds[[0, 1 + i]], seed, len(reference.clip), sampling)
            sheet.append(frames[:: max(len(frames) // SHOWN, 1)][:SHOWN])
            rows += [follow(find, frames, noun, way) for noun, way in zip(nouns, ways, strict=False)]
        base.let_go("vae")
        folder.mkdir(parents=True, exist_ok=True)
        contact_sheet([to_pictures(frames) for frames in sheet]).save(folder / f"{step:05d}.jpg", quality=90)
        path, found = np.mean(rows, 0).tolist() if rows else (0.0, 0.0)
        return {"path": path, "found": found, "score": path * found}

    return validate


@torch.no_grad()
def draw_clip(base: Base, model: UNetMotionModel, embeds: torch.Tensor, seed: int, frames: int, sampling: Sampling) -> torch.Tensor:
    """A clip `[f, 3, h, w]` in [-1, 1] of the model as it is; `embeds` `[2, length, width]` are the empty prompt's and the clip's."""
    pipeline = AnimateDiffPipeline(None, None, None, model, None, make_video_scheduler(base, 1))  # type: ignore[arg-type]
    pipeline.set_progress_bar_config(disable=True)
    with torch.random.fork_rng(), torch.autocast(base.device.type, base.dtype, enabled=base.dtype != torch.float32):
        latents = pipeline(
            prompt_embeds=embeds[1:].to(base.dtype),
            negative_prompt_embeds=embeds[:1].to(base.dtype),
            latents=draw_clip_noise(base, seed, frames).transpose(0, 1)[None],
            num_frames=frames,
            num_inference_steps=STEPS,
            guidance_scale=sampling.guidance_scale,
            output_type="latent",
        ).frames
    return decode(base, latents[0].transpose(0, 1).to(base.dtype)).clamp(-1, 1).float().cpu()


def follow(find: Find, frames: torch.Tensor, noun: str, way: np.ndarray) -> tuple[float, float]:
    """How much the surest thing of a noun goes `way` `[f, 2]` in a clip `[f, 3, h, w]` in [-1, 1], and the share of frames that show it."""
    pictures = ((frames + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    boxes = [find(picture, noun)[:1] for picture in pictures]
    middles = np.array([(b[0, :2] + b[0, 2:]) / 2 if len(b) else [np.nan] * 2 for b in boxes])
    return path_correlation(middles, way), float(np.mean([len(b) > 0 for b in boxes]))
