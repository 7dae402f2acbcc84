"""data, mix → runs/<combination>/finetune: the subjects' LoRA and visual adapter by Disen-Mix finetuning, or a peer's weights."""

from dataclasses import fields, replace
from pathlib import Path

from accelerate import PartialState
from PIL import Image

from tasks.command import (
    forget_progress,
    launch,
    open_base,
    open_progress,
    open_subjects,
    publish_progress,
    replaced_folder,
    run_folder,
    run_stage,
)
from vd_core.bases import Base, find_source
from vd_core.config import Params
from vd_core.images import find_pictures, load_square
from vd_core.methods import METHODS
from vd_core.metrics.fidelity import SubjectReference, refer_to
from vd_core.metrics.judges import Judges
from vd_core.metrics.report import load_judges, to_unit
from vd_core.optimisation import Progress
from vd_core.seeds import seed_for
from vd_core.subjects import Subject
from vd_core.training import Settings
from vd_core.validation import build_validation


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


def finetune_stage(params: Params, name: str) -> None:
    """Finetune the base on one combination by the method that params.yaml names."""
    if launch("tasks.finetune", name, params.finetune.processes):
        return
    _, subjects = open_subjects(params, name)
    base = open_base(params, subjects)
    mixed = mixed_pictures(run_folder(name, "mix"), base.resolution)
    method, settings = params.finetune.method, settings_from(params, "finetune", params.finetune.steps)
    progress = validated(open_progress(name, "finetune"), params, base, subjects)
    with replaced_folder(run_folder(name, "finetune")) as folder:
        METHODS[method](base, subjects, subject_pictures(base, subjects), mixed, settings, progress, folder)
        publish_progress(progress, folder, f"finetuning, {method}")
    forget_progress(progress)


if __name__ == "__main__":
    run_stage(finetune_stage)
