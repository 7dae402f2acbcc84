"""A unit of work: some clips of one finetuning by one generator."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from tasks.render import customise
from tasks.shared.opening import open_base
from tasks.studies.given import name_subjects
from tasks.studies.store import alone, clip_path, finetuning_path, note_seconds, placed
from tasks.studies.units import Clips, Video, models_of
from vd_core.bases.encode import decode, embed_prompts
from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.load import load_customisation
from vd_core.generation.together import generate_together
from vd_core.inputs.clips import save_frames
from vd_core.inputs.prompts import scene_prompt


def missing_clips(unit: Clips, store: Path) -> list[Video]:
    """Those whose frames do not stand yet."""
    return [v for v in unit.videos if not clip_path(store, v.key).exists()]


def open_generator(unit: Clips, base: Base, weights: Path) -> Callable[[torch.Tensor, list[int]], torch.Tensor]:
    """What makes clips `[n, f, c, h, w]` of the empty prompt's and n prompts' embeddings and n seeds; f is 1 for pictures."""
    section = unit.finetuning.sections.render
    if unit.generator != "pictures":
        return customise(unit.generator, base, weights, section)
    load_customisation(base, weights)
    steps, guidance_scale = section.render.num_inference_steps, section.sampling.guidance_scale
    return lambda embeds, seeds: decode(base, generate_together(base, embeds, seeds, steps, guidance_scale))[:, None]


def render(unit: Clips, store: Path) -> None:
    """Render the clips that do not stand yet: videos one a call, pictures all of a unit, so that none depends on which others were left to do."""
    with alone(store, f"render-{unit.finetuning.key}-{unit.label.rsplit('-', 1)[-1]}-{unit.generator}"):
        videos = missing_clips(unit, store)
        if not videos:
            return
        begun, sections = time.perf_counter(), unit.finetuning.sections
        subjects = name_subjects(unit.finetuning.subjects, sections)
        base = open_base(models_of(sections, unit.generator), sections.render.device, subjects, motion=unit.generator == "animatediff")
        base.low_vram = sections.render.render.low_vram
        weights = finetuning_path(store, unit.finetuning.key)
        generate = open_generator(unit, base, weights)
        calls = [unit.videos] if unit.generator == "pictures" else [(v,) for v in videos]
        embeds = [embed_prompts(base, [scene_prompt(subjects, v.prompt) for v in call]) for call in calls]
        base.let_go("text_encoder")
        loading = (time.perf_counter() - begun) / len(videos)
        for call, own in zip(calls, embeds, strict=True):
            begun = time.perf_counter()
            clips = generate(own, [v.seed for v in call])
            seconds = (time.perf_counter() - begun) / len(call)
            keep([(v, c) for v, c in zip(call, clips, strict=True) if v in videos], seconds + loading, store)


def keep(clips: Sequence[tuple[Video, torch.Tensor]], seconds: float, store: Path) -> None:
    """Write clips `[f, c, h, w]` where they belong, each of which took so long."""
    for video, frames in clips:
        with placed(clip_path(store, video.key)) as folder:
            save_frames(frames, folder)
            note_seconds(folder, seconds)
