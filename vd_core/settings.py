"""What a base and a training take, once: the files of settings are checked against these very classes."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]
Precision = Literal["auto", "float32", "bf16", "fp16"]
MOTION_WINDOW = 16
"""Frames that motion modules see at once, as AnimateDiff was trained; longer clips take several windows."""

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Part:
    """Where some models lie: a folder, or a hub's name and the `revision` (a commit) that is meant."""

    __pydantic_config__ = STRICT
    path: str
    revision: str | None


@dataclass(frozen=True)
class FilePart(Part):
    """A model of one file; with a `sha256` no other file is taken."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


@dataclass(frozen=True)
class Source:
    """Where a base's parts lie; the image encoder is as wide as the text encoder, and without `motion_adapter` there is no AnimateDiff.

    `video_beta_schedule` is the noise schedule that the motion modules were trained on, if it is another than the pipeline's own.
    """

    __pydantic_config__ = STRICT
    pipeline: Part
    image_encoder: Part
    motion_adapter: Part | None
    video_beta_schedule: str | None


@dataclass(frozen=True)
class PublicJudges:
    """The paper's judges, DINO ViT-S/16 as `identity` and OpenAI's CLIP ViT-B/32 as `clip`, and OWLv2 for nouns that the paper's detector lacks.

    Each is a repository or folder with safetensors.
    """

    __pydantic_config__ = STRICT
    identity: FilePart
    clip: FilePart
    open_detector: Part


@dataclass(frozen=True)
class Aesthetic:
    """The judge of aesthetic quality: CLIP ViT-L/14 as transformers has it, and the file of LAION's linear head, which a person fetches."""

    __pydantic_config__ = STRICT
    clip: Part
    head: str


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train; every training's own. AdamW's moments in 32 bits, or in 8. `seed` decides all that is drawn.

    With an `ema_decay` above 0 what is kept, and validated, is the parameters' moving average.
    """

    __pydantic_config__ = STRICT
    steps: PositiveInt
    learning_rate: PositiveFloat
    linear_decay: bool
    max_grad_norm: PositiveFloat
    gradient_accumulation: PositiveInt
    gradient_checkpointing: bool
    compile: bool
    optimizer: Literal["adamw", "adamw_8bit"]
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    seed: int


@dataclass(frozen=True)
class Lora:
    """LoRA of `rank` (alpha = rank); `targets` of the U-Net: its attention projections, or all convolutions and projections too."""

    __pydantic_config__ = STRICT
    rank: PositiveInt
    targets: Literal["attention", "all"]


@dataclass(frozen=True)
class DisenMix:
    """Disen-Mix's own: lambda of Eq. 9 (0: no L3), P_N before P_c, f_j; each can be turned off (the paper's ablations).

    Not the paper's: `prior_preservation`, DreamBooth's second term beside Eq. 10; `regions`, each subject's own text in its box of the pictures of cut-outs,
    which names it as often as there are subjects if `repeat` (the preset's `regions.repeat`: as in sampling).
    """

    __pydantic_config__ = STRICT
    weak_denoising: Weight
    stitch_prompt: bool
    visual_embedding: bool
    prior_preservation: bool
    regions: bool
    repeat: bool


@dataclass(frozen=True)
class Prior:
    """Prior preservation: `pictures` that the base draws of each class, and their `weight` in the loss; 0: none are drawn."""

    __pydantic_config__ = STRICT
    pictures: PositiveInt
    weight: Weight


@dataclass(frozen=True)
class Validation:
    """A contact sheet and figures every so many steps (0: never); `keep_best` ends with the weights of the best one."""

    __pydantic_config__ = STRICT
    every: Annotated[int, Field(ge=0)]
    pictures: PositiveInt
    keep_best: bool


@dataclass(frozen=True)
class Sampling:
    """How single pictures are sampled: candidates, validations, priors. Videos have their own steps."""

    __pydantic_config__ = STRICT
    num_inference_steps: Annotated[int, Field(ge=4)]
    guidance_scale: PositiveFloat


@dataclass(frozen=True)
class Settings:
    """What a finetuning method takes. The schedule's rate is the U-Net's; the text encoder has its own (0: it stays as it is)."""

    __pydantic_config__ = STRICT
    schedule: Schedule
    text_encoder_learning_rate: Weight
    lora: Lora
    batch_per_subject: PositiveInt
    batch_mixed: PositiveInt
    min_snr_gamma: Weight
    disen_mix: DisenMix
    prior: Prior
    validation: Validation
    sampling: Sampling


@dataclass(frozen=True)
class MotionSettings:
    """What motion finetuning takes.

    With `copies` T_m learns from so many of the clip, with other looks: `actors` pictures of each subject's class are drawn for them, at the `places`.
    With 0 the paper's literal way: I_m, a LoRA of `lora_rank`, and T_m learn from the clip itself, and nothing is validated. A validation's `pictures` are clips.
    """

    __pydantic_config__ = STRICT
    schedule: Schedule
    lora_rank: PositiveInt
    copies: Annotated[int, Field(ge=0)]
    actors: PositiveInt
    places: Annotated[tuple[str, ...], Field(min_length=1)]
    validation: Validation
