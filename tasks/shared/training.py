"""What finetuning, re-finetuning and whoever judges pictures share: settings, pictures, references, validation."""

from dataclasses import fields, replace
from pathlib import Path

from accelerate import PartialState
from PIL import Image

from tasks.shared.params import Params
from vd_core.bases.stable_diffusion import Base, find_source
from vd_core.inputs.pictures import find_pictures, load_square
from vd_core.inputs.subjects import Subject
from vd_core.methods.validation import build_validation
from vd_core.metrics.fidelity import SubjectReference, refer_to
from vd_core.metrics.judges import Judges
from vd_core.metrics.report import load_judges, to_unit
from vd_core.seeds import seed_for
from vd_core.training.loop import Progress
from vd_core.training.step import Settings


def settings_from(params: Params, stage: str, steps: int) -> Settings:
    """The settings of a stage's training from params.yaml: finetune; every stage has noise of its own."""
    chosen = params.finetune
    given = {f.name: getattr(chosen, f.name) for f in fields(Settings) if f.name not in ("steps", "seed")}
    return Settings(steps=steps, seed=seed_for(stage, params.seed), **given)


def subject_pictures(base: Base, subjects: list[Subject]) -> list[list[Image.Image]]:
    """Each subject's pictures at the base's resolution."""
    return [[load_square(p, base.resolution) for p in find_pictures(s.folder)] for s in subjects]


def mixed_pictures(folder: Path, resolution: int) -> list[Image.Image]:
    """D_mix as the mix stage wrote it."""
    return [load_square(p, resolution) for p in sorted(folder.glob("[0-9]*.png"))]


def references(judges: Judges, base: Base, subjects: list[Subject]) -> list[SubjectReference]:
    """What each subject looks like to the judges."""
    pictures = subject_pictures(base, subjects)
    return [refer_to(judges, s.class_noun, to_unit(own)) for s, own in zip(subjects, pictures, strict=True)]


def validated(progress: Progress, params: Params, base: Base, subjects: list[Subject]) -> Progress:
    """The same progress with a validation, if params.yaml wants one; in the main process alone."""
    if not params.finetune.validate_every or not PartialState().is_main_process:
        return progress
    judges = load_judges(find_source(params.base).judges)
    known, places = references(judges, base, subjects), params.hlr.related_prompts or ("",)
    validate = build_validation(base, judges, known, subjects, places, params.finetune.validation_pictures, params.seed, progress.folder)
    return replace(progress, validate=validate)
