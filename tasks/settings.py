"""params.yaml, presets → runs/<combination>/settings.yaml: the merged settings, one section a stage.

A stage reads its section alone, and DVC compares that section: what is edited meanwhile counts from the next run on.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

from diffusers import MotionAdapter

from tasks.shared.command import run_command
from tasks.shared.frames import check_frames
from tasks.shared.params import Merged, load_params, merge
from tasks.shared.paths import settings_path
from tasks.shared.sections import (
    EncodeSection,
    EvaluateSection,
    FinetuneSection,
    Judging,
    MixSection,
    Models,
    MotionSection,
    RefinetuneSection,
    RenderSection,
    SampleSection,
    Sections,
    SwapSection,
    write_sections,
)
from vd_core.bases.stable_diffusion import read_resolution
from vd_core.files import sha256_of
from vd_core.seeds import seed_for

BASE_PARTS = ("tokenizer", "text_encoder", "vae", "unet", "scheduler", "image_encoder")


def settings(name: str) -> None:
    """Merge the settings of one combination; InputError if they cannot work."""
    before = None
    merged = merge(load_params(), name)
    while merged != before:  # whatever was edited in this second counts too
        check_frames(merged, most_frames(merged))
        write_sections(name, build_sections(merged))
        before, merged = merged, merge(load_params(), name)
    print(f"settings of {name} on {merged.base}: {settings_path(name)}")


def most_frames(merged: Merged) -> int | None:
    """How many frames the motion modules can hold, from their configuration; None if the base has none."""
    adapter = merged.source.motion_adapter
    return MotionAdapter.load_config(adapter.path, revision=adapter.revision)["motion_max_seq_length"] if adapter else None


def build_sections(m: Merged) -> Sections:
    """Every stage's section of a combination's merged settings; InputError if the base or the judges cannot be found."""
    images = replace(m.source, motion_adapter=None, video_beta_schedule=None)
    models = Models(source=images, files=hash_parts(m.source.pipeline.path, BASE_PARTS), precision=m.precision)
    motion_files = m.source.motion_adapter and hash_files(m.source.motion_adapter.path)
    clips = Models(source=m.source, files=join_hashes(models.files, motion_files), precision=m.precision)
    judging = Judging(judges=m.judges, files=m.judges and hash_files(m.judges))
    on = {"models": models, "device": m.device}
    training = {**on, "judging": judging, "processes": m.processes, "method": m.method, "related_prompts": m.hlr.related_prompts}
    again = replace(m.finetune, schedule=replace(m.finetune.schedule, steps=m.hlr.steps, seed=seed_for("refinetune", m.seed)))
    return Sections(
        mix=MixSection(
            subjects=m.subjects,
            placeholder_tokens=m.placeholder_tokens,
            count=m.mix.count,
            crop=m.mix.crop,
            seed=m.seed,
            resolution=read_resolution(m.source),
            clip_frames=m.motion.frames if m.motion_prompt is not None else None,
            judging=judging,
            device=m.device,
        ),
        finetune=FinetuneSection(**training, training=m.finetune),
        sample=SampleSection(
            **on,
            judging=judging,
            seed=m.seed,
            sampling_round=m.sampling_round,
            candidates=m.hlr.candidates,
            related_prompts=m.hlr.related_prompts,
            sampling=m.sampling,
        ),
        refinetune=RefinetuneSection(**training, training=again, min_picks=m.hlr.min_picks),
        motion=MotionSection(models=clips, device=m.device, prompt=m.motion_prompt, training=m.motion.training),
        swap=SwapSection(swap=m.motion.swap),
        render=RenderSection(
            models=clips, judging=judging, device=m.device, seed=m.seed, prompts=m.prompts, sampling=m.sampling, render=m.render
        ),
        encode=EncodeSection(fps=m.encode.fps),
        evaluate=EvaluateSection(judging=judging, device=m.device),
    )


def hash_parts(path: str, parts: tuple[str, ...]) -> str | None:
    """One hash of the files of a folder's `parts`; None for a hub's name, whose revision says what it is."""
    hashes = [hash_files(str(Path(path) / part)) for part in parts]
    return join_hashes(*hashes) if any(hashes) else None


def hash_files(path: str) -> str | None:
    """One hash of all files of a folder, by name and content; None if it is no folder."""
    files = sorted(p for p in Path(path).rglob("*") if p.is_file()) if Path(path).is_dir() else []
    return join_hashes(*(f"{p.relative_to(path)} {sha256_of(p)}" for p in files)) if files else None


def join_hashes(*hashes: str | None) -> str | None:
    """One hash of several; None if there are none."""
    given = [h for h in hashes if h]
    return hashlib.sha256("\n".join(given).encode()).hexdigest() if given else None


if __name__ == "__main__":
    run_command(settings)
