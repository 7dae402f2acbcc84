"""A training's progress with validations on the way, shared by finetuning and re-finetuning."""

from dataclasses import replace

from accelerate import PartialState

from tasks.shared.judging import open_judges, read_references
from tasks.shared.sections import FinetuneSection
from vd_core.bases.stable_diffusion import Base
from vd_core.inputs.subjects import Subject
from vd_core.methods.validation import build_validation
from vd_core.training.loop import Progress


def validated(progress: Progress, name: str, section: FinetuneSection, base: Base, subjects: list[Subject]) -> Progress:
    """The same progress with a validation, if the settings want one; in the main process alone."""
    training = section.training
    if not training.validation.every or not PartialState().is_main_process:
        return progress
    judges, places = open_judges(section.judging, section.device, subjects), section.related_prompts or ("",)
    references, seed = read_references(name, subjects), training.schedule.seed
    validate = build_validation(
        base, judges, references, subjects, places, training.validation.pictures, training.sampling, seed, progress.folder
    )
    return replace(progress, validate=validate)
