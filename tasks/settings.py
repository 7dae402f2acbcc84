"""params.yaml, presets → runs/<combination>/settings.yaml: the merged settings, one section a stage.

A stage reads its section alone, and DVC compares that section: what is edited meanwhile counts from the next run on.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

from diffusers import MotionAdapter

from tasks.shared.command import run_command
from tasks.shared.frames import check_frames
from tasks.shared.merging import load_params, merge
from tasks.shared.params import Merged
from tasks.shared.paths import data_folder, settings_path
from tasks.shared.sections import (
    EncodeSection,
    EvaluateSection,
    ExportSection,
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
from vd_core.bases.hub import loading, where
from vd_core.bases.single_file import is_single_file
from vd_core.bases.stable_diffusion import read_resolution, read_tokenizer
from vd_core.files import sha256_of
from vd_core.inputs.prompts import check_prompts, training_prompts
from vd_core.inputs.scenes import read_scene, spoken_prompts
from vd_core.inputs.subjects import load_subjects
from vd_core.seeds import seed_for
from vd_core.settings import Aesthetic, Part, PublicJudges

BASE_PARTS = ("tokenizer", "text_encoder", "vae", "unet", "scheduler", "image_encoder")


def settings(name: str) -> None:
    """Merge the settings of one combination; InputError if they cannot work."""
    before = None
    merged = merge(load_params(), name)
    while merged != before:  # whatever was edited in this second counts too
        check_frames(merged, most_frames(merged))
        check_words(merged, name)
        write_sections(name, build_sections(merged))
        before, merged = merged, merge(load_params(), name)
    print(f"settings of {name} on {merged.base}: {settings_path(name)}")


def most_frames(merged: Merged) -> int | None:
    """How many frames the motion modules can hold, from their configuration; None if the base has none."""
    adapter = merged.source.motion_adapter
    if adapter is None:
        return None
    with loading("motion adapter", adapter):
        return MotionAdapter.load_config(where(adapter), revision=adapter.revision)["motion_max_seq_length"]


def check_words(m: Merged, name: str) -> None:
    """InputError if a prompt has more words than the base reads. The subjects' nouns are read here too, so that nothing runs before it is said."""
    subjects = load_subjects(data_folder(m.finetune_from), m.subjects, m.placeholder_tokens)
    tokenizer = read_tokenizer(m.source.pipeline)
    check_prompts(training_prompts(name, subjects, m.method, tokenizer), tokenizer)
    scenes = [read_scene(raw) for raw in m.prompts]
    check_prompts(spoken_prompts(name, subjects, scenes, m.hlr.related_prompts, m.motion_prompt, m.regions.repeat), tokenizer)


def build_sections(m: Merged) -> Sections:
    """Every stage's section of a combination's merged settings; InputError if the base or the judges cannot be found."""
    images = replace(m.source, motion_adapter=None, video_beta_schedule=None)
    models = Models(source=images, files=hash_pipeline(m.source.pipeline), precision=m.precision)
    motion_files = m.source.motion_adapter and hash_files(where(m.source.motion_adapter))
    clips = Models(source=m.source, files=join_hashes(models.files, motion_files), precision=m.precision)
    judging = Judging(judges=m.judges, files=hash_judges(m.judges))
    on = {"models": models, "device": m.device}
    training = {
        **on,
        "finetune_from": m.finetune_from,
        "judging": judging,
        "processes": m.processes,
        "method": m.method,
        "related_prompts": m.hlr.related_prompts,
    }
    again = replace(m.finetune, schedule=replace(m.finetune.schedule, steps=m.hlr.steps, seed=seed_for("refinetune", m.seed)))
    return Sections(
        mix=MixSection(
            finetune_from=m.finetune_from,
            subjects=m.subjects,
            placeholder_tokens=m.placeholder_tokens,
            count=m.mix.count,
            cutouts=m.mix.cutouts,
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
            finetune_from=m.finetune_from,
            judging=judging,
            seed=m.seed,
            sampling_round=m.sampling_round,
            candidates=m.hlr.candidates,
            related_prompts=m.hlr.related_prompts,
            sampling=m.sampling,
            regions=m.regions,
        ),
        refinetune=RefinetuneSection(**training, training=again, min_picks=m.hlr.min_picks),
        motion=MotionSection(
            models=clips, judging=judging, device=m.device, prompt=m.learned_motion, sampling=m.sampling, training=m.motion.training
        ),
        swap=SwapSection(finetune_from=m.finetune_from, swap=m.motion.swap),
        render=RenderSection(
            models=clips,
            judging=judging,
            device=m.device,
            seed=m.seed,
            prompts=m.prompts,
            sampling=m.sampling,
            regions=m.regions,
            render=m.render,
        ),
        encode=EncodeSection(fps=m.encode.fps),
        evaluate=EvaluateSection(judging=judging, aesthetic=m.aesthetic, aesthetic_head=hash_head(m.aesthetic), device=m.device),
        export=ExportSection(
            **on,
            finetune_from=m.finetune_from,
            base=m.base,
            license=m.license,
            method=m.method,
            prompts=m.prompts,
            motion_prompt=m.motion_prompt,
            motion_finetuned=m.learned_motion is not None,
            training=m.finetune,
            refinetuning_steps=m.hlr.steps,
            motion=m.motion.training,
            sampling=m.sampling,
            regions=m.regions,
            render=m.render,
            fps=m.encode.fps,
        ),
    )


def hash_pipeline(part: Part) -> str | None:
    """One hash of a base's files, a single file's yaml included; None for a hub's name."""
    if not is_single_file(part):
        return hash_parts(where(part), BASE_PARTS)
    path = Path(where(part))
    return join_hashes(*(sha256_of(p) for p in (path, path.with_suffix(".yaml")) if p.is_file()))


def hash_judges(judges: str | PublicJudges) -> str | None:
    """One hash of the judges' files; None if all are a hub's."""
    if isinstance(judges, str):
        return hash_files(judges)
    return join_hashes(*(hash_files(where(part)) for part in (judges.identity, judges.clip, judges.open_detector)))


def hash_head(aesthetic: Aesthetic | None) -> str | None:
    """A hash of the aesthetic judge's head; None if it is not wanted, or not there: it is optional."""
    return sha256_of(Path(aesthetic.head)) if aesthetic and Path(aesthetic.head).is_file() else None


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
