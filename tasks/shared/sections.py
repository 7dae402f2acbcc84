"""What each stage reads, and nothing else: `runs/<combination>/settings.yaml` has one section a stage, and DVC compares exactly that section."""

from typing import Literal, TypeVar

import yaml
from pydantic import ValidationError

from tasks.shared.params import Prompt, Regions, Render, Section
from tasks.shared.paths import settings_path
from tasks.shared.wrong_keys import explain
from tasks.shared.yaml_files import read_yaml
from vd_core.errors import InputError
from vd_core.files import write_text
from vd_core.settings import Aesthetic, MotionSettings, Precision, PublicJudges, Sampling, Settings, Source

S = TypeVar("S", bound=Section)
Device = Literal["auto", "cpu", "cuda"]


class Models(Section):
    """A base, a hash of its files where they lie in a folder (replaced weights are other weights), and its precision."""

    source: Source
    files: str | None
    precision: Precision


class Judging(Section):
    """Whose judges: a folder and a hash of its files, or the public ones."""

    judges: str | PublicJudges
    files: str | None


class MixSection(Section):
    finetune_from: str
    subjects: tuple[str, ...]
    placeholder_tokens: tuple[str, ...]
    count: int
    cutouts: int
    crop: Literal["subject", "center"]
    seed: int
    resolution: int
    clip_frames: int | None
    judging: Judging
    device: Device


class FinetuneSection(Section):
    finetune_from: str
    models: Models
    judging: Judging
    device: Device
    processes: int
    method: str
    training: Settings
    related_prompts: tuple[str, ...]


class SampleSection(Section):
    finetune_from: str
    models: Models
    judging: Judging
    device: Device
    seed: int
    sampling_round: int
    candidates: int
    related_prompts: tuple[str, ...]
    sampling: Sampling
    regions: Regions


class RefinetuneSection(FinetuneSection):
    min_picks: int


class MotionSection(Section):
    models: Models
    judging: Judging
    device: Device
    prompt: str | None
    sampling: Sampling
    training: MotionSettings


class SwapSection(Section):
    finetune_from: str
    swap: bool


class RenderSection(Section):
    models: Models
    judging: Judging
    device: Device
    seed: int
    prompts: tuple[Prompt, ...]
    sampling: Sampling
    regions: Regions
    render: Render


class EncodeSection(Section):
    fps: int


class EvaluateSection(Section):
    judging: Judging
    aesthetic: Aesthetic | None
    aesthetic_head: str | None  # a hash of its file
    device: Device


class ExportSection(Section):
    finetune_from: str
    base: str
    license: str
    models: Models
    device: Device
    method: str
    prompts: tuple[Prompt, ...]
    motion_prompt: str | None
    motion_finetuned: bool
    training: Settings
    refinetuning_steps: int
    motion: MotionSettings
    sampling: Sampling
    regions: Regions
    render: Render
    fps: int


class Sections(Section):
    """The file: one section a stage."""

    mix: MixSection
    finetune: FinetuneSection
    sample: SampleSection
    refinetune: RefinetuneSection
    motion: MotionSection
    swap: SwapSection
    render: RenderSection
    encode: EncodeSection
    evaluate: EvaluateSection
    export: ExportSection


def as_yaml(sections: Section) -> str:
    """Sections as YAML, in the models' order."""
    return yaml.safe_dump(sections.model_dump(mode="json"), sort_keys=False)


def write_sections(name: str, sections: Sections) -> None:
    """Write a combination's settings file."""
    write_text(settings_path(name), as_yaml(sections))


def read_section(name: str, stage: str, model: type[S]) -> S:
    """One stage's section; InputError if the settings stage has not run or wrote for another version."""
    path = settings_path(name)
    if not path.is_file():
        raise InputError(f"{path} is missing; run 'dvc repro settings@{name}' first")
    try:
        return model.model_validate(read_yaml(path)[stage])
    except (ValidationError, KeyError, TypeError) as error:
        reason = explain(error) if isinstance(error, ValidationError) else f"it has no {stage}"
        raise InputError(f"{path}: {reason.removesuffix('; correct it')}; run 'dvc repro --force settings@{name}'") from None
