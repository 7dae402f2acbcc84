"""`params.yaml` as frozen models. Unknown and missing keys are refused with one line each."""

import difflib
import re
from pathlib import Path
from typing import Annotated, Literal

import yaml
from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from ruamel.yaml import YAML

from vd_core.errors import InputError
from vd_core.files import replacing

PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
Rate = Annotated[float, Field(ge=0, le=1)]
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


class Section(BaseModel):
    """A part of params.yaml; every key must be there, and no other."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Combination(Section):
    """What a person works on. The subjects are folders of `data/<combination>/`; a motion needs `motion.mp4` beside them."""

    subjects: Annotated[tuple[str, ...], Field(min_length=1)]
    prompts: Annotated[tuple[str, ...], Field(min_length=1)]
    motion_prompt: str | None = None
    sampling_round: Annotated[int, Field(ge=0)]

    @field_validator("subjects")
    @classmethod
    def names_are_plain(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not NAME.fullmatch(name):
                raise ValueError(f"'{name}' is not a folder name of lower-case letters, digits, - and _")
        if len(set(names)) < len(names):
            raise ValueError("names a subject twice")
        return names


class MixParams(Section):
    count: PositiveInt


class FinetuneParams(Section):
    method: Literal["disen_mix", "plain_mix", "dreambooth", "custom_diffusion", "svdiff"]
    steps: PositiveInt
    lora_rank: PositiveInt
    lora_targets: Literal["attention", "all"]
    learning_rate: PositiveFloat
    text_encoder_learning_rate: Annotated[float, Field(ge=0)]
    weak_denoising: Annotated[float, Field(ge=0)]
    stitch_prompt: bool
    visual_embedding: bool
    prior_pictures: PositiveInt
    prior_weight: Annotated[float, Field(ge=0)]
    batch_per_subject: PositiveInt
    batch_mixed: PositiveInt
    max_grad_norm: PositiveFloat
    linear_decay: bool
    mixed_precision: Literal["no", "bf16", "fp16"]
    gradient_accumulation: PositiveInt
    gradient_checkpointing: bool
    compile: bool
    min_snr_gamma: Annotated[float, Field(ge=0)]
    validate_every: Annotated[int, Field(ge=0)]
    validation_pictures: PositiveInt
    keep_best: bool
    processes: PositiveInt


class HlrParams(Section):
    candidates: PositiveInt
    related_prompts: tuple[str, ...]
    min_picks: PositiveInt
    refinetune_steps: PositiveInt


class MotionParams(Section):
    steps: PositiveInt
    learning_rate: PositiveFloat
    frames: PositiveInt
    swap: bool


class RenderParams(Section):
    generators: Annotated[tuple[Literal["text2video_zero", "animatediff"], ...], Field(min_length=1)]
    num_inference_steps: Annotated[int, Field(ge=4)]
    guidance_scale: PositiveFloat
    text2video_zero_frames: Annotated[int, Field(ge=2)]
    animatediff_frames: Annotated[int, Field(ge=2)]
    motion_field_strength: tuple[float, float]
    t_forward: PositiveInt
    t_warp: PositiveInt
    fps: PositiveInt
    seeds_tried: PositiveInt


class Params(Section):
    """The whole of params.yaml."""

    base: str
    seed: Annotated[int, Field(ge=0)]
    device: Literal["auto", "cpu", "cuda"]
    combinations: Annotated[dict[str, Combination], Field(min_length=1)]
    mix: MixParams
    finetune: FinetuneParams
    hlr: HlrParams
    motion: MotionParams
    render: RenderParams

    @field_validator("combinations")
    @classmethod
    def combination_names_are_plain(cls, combinations: dict[str, Combination]) -> dict[str, Combination]:
        for name in combinations:
            if not NAME.fullmatch(name):
                raise ValueError(f"'{name}' is not a name of lower-case letters, digits, - and _")
        return combinations

    def combination(self, name: str) -> Combination:
        """The combination called `name`; InputError if there is none."""
        if name not in self.combinations:
            known = ", ".join(self.combinations)
            raise InputError(f"params.yaml: combinations has no '{name}'; choose one of {known}, or add it")
        return self.combinations[name]


def load_params(path: Path = Path("params.yaml")) -> Params:
    """Read and check the parameters; InputError names the first key that is wrong."""
    try:
        raw = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run this from the project's root") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not readable YAML ({' '.join(str(error).split())}); mend that line") from None
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        raise InputError(f"{path.name}: {explain(error)}") from None


def raise_sampling_round(name: str, path: Path = Path("params.yaml")) -> int:
    """Ask for other HLR candidates: raise `combinations.<name>.sampling_round` by one in the file, comments and all else kept. Returns it."""
    document = YAML()
    document.preserve_quotes, document.width = True, 4096
    document.indent(mapping=2, sequence=4, offset=2)
    with FileLock(path.with_suffix(".lock.tmp")), replacing(path) as aside:
        content = document.load(path)
        content["combinations"][name]["sampling_round"] += 1
        document.dump(content, aside)
    return content["combinations"][name]["sampling_round"]


def explain(error: ValidationError) -> str:
    """The first of a validation's errors in one line that says what to do."""
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    key = ".".join(where)
    if first["type"] == "missing":
        return f"{key} is missing; add it"
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(where[-1], sibling_keys(where[:-1]), n=1)
        return f"{key} is not a known key; " + (f"did you mean {close[0]}?" if close else "remove it")
    reason = first["msg"].removeprefix("Value error, ")
    return f"{key}: {reason[0].lower()}{reason[1:]} (it is {first['input']!r}); correct it"


def sibling_keys(where: list[str]) -> list[str]:
    """The keys that the section at `where` knows."""
    model: type[BaseModel] = Params
    for part in where:
        field = model.model_fields.get(part)
        if field is not None and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            model = field.annotation
        else:
            model = Combination
    return list(model.model_fields)
