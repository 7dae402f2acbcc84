"""`params.yaml` and `presets/<base>.yaml` as frozen models; unknown and missing keys are refused."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from tasks.shared.yaml_files import check_name
from vd_core.errors import InputError
from vd_core.inputs.scenes import Raw, check_subjects, read_scene
from vd_core.settings import Aesthetic, MotionSettings, PositiveInt, Precision, PublicJudges, Sampling, Settings, Source

PARAMS, PRESETS = Path("params.yaml"), Path("presets")
OVERRIDES = (
    "source",
    "license",
    "judges",
    "aesthetic",
    "placeholder_tokens",
    "precision",
    "method",
    "mix",
    "sampling",
    "finetune",
    "hlr",
    "regions",
    "motion",
    "render",
    "encode",
)
"""The keys of a preset that a combination may override, whole or in part."""
TRAINED = ("source", "license", "judges", "placeholder_tokens", "method", "mix", "finetune", "hlr")
"""Those that belong to the finetuned subjects: a combination that takes another's takes these from it too."""


def can_be_read(raw: Any) -> Raw:
    """A prompt of params.yaml, as it is; ValueError if it is none."""
    read_scene(raw)
    return raw


Prompt = Annotated[Any, AfterValidator(can_be_read)]
"""A text, or a scene with regions or events; `read_scene` reads it."""


class Section(BaseModel):
    """A part of the settings; every key must be there, and no other."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Combination(BaseModel):
    """What a person works on. The subjects are folders of `data/<combination>/`; a motion needs a clip, `motion.mp4`, beside them.

    Besides these keys it may hold those of OVERRIDES.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    base: str | None = None
    finetune_from: str
    subjects: Annotated[tuple[str, ...], Field(min_length=1)]
    prompts: Annotated[tuple[Prompt, ...], Field(min_length=1)]
    motion_prompt: str | None = None
    sampling_round: Annotated[int, Field(ge=0)]

    @field_validator("subjects")
    @classmethod
    def names_are_plain(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            check_name(name)
        if len(set(names)) < len(names):
            raise ValueError("names a subject twice")
        return names

    @model_validator(mode="after")
    def prompts_name_the_subjects(self) -> "Combination":
        for i, raw in enumerate(self.prompts):
            try:
                check_subjects(read_scene(raw), self.subjects)
            except InputError as error:
                raise ValueError(f"prompts[{i}].{error}") from None
        return self


class Params(Section):
    """The whole of params.yaml."""

    base: str
    seed: Annotated[int, Field(ge=0)]
    device: Literal["auto", "cpu", "cuda"]
    processes: PositiveInt
    combinations: Annotated[dict[str, Combination], Field(min_length=1)]

    @field_validator("combinations", mode="before")
    @classmethod
    def combination_names_are_plain(cls, combinations: Any) -> Any:
        for name in combinations or ():
            check_name(name)
        return combinations

    @model_validator(mode="after")
    def subjects_come_from_where_they_are_finetuned(self) -> "Params":
        for name, combination in self.combinations.items():
            owner = self.combinations.get(combination.finetune_from)
            if owner is None or owner.finetune_from != combination.finetune_from:
                wanted = "no combination" if owner is None else "itself without finetuned subjects"
                raise ValueError(
                    f"combinations.{name}.finetune_from: '{combination.finetune_from}' is {wanted}; write {name} for its own subjects, or a combination that has its own"
                )
        return self

    def combination(self, name: str) -> Combination:
        """The combination called `name`; InputError if there is none."""
        if name not in self.combinations:
            known = ", ".join(self.combinations)
            raise InputError(f"{PARAMS}: combinations has no '{name}'; choose one of {known}, or add it")
        return self.combinations[name]


class Mix(Section):
    count: PositiveInt
    cutouts: Annotated[int, Field(ge=0)]
    crop: Literal["subject", "center"]


class Hlr(Section):
    candidates: PositiveInt
    related_prompts: tuple[str, ...]
    min_picks: PositiveInt
    steps: PositiveInt


class Regions(Section):
    repeat: bool
    layouts: Annotated[int, Field(ge=0)]
    most_in_a_row: PositiveInt
    staged: Annotated[float, Field(ge=0, lt=1)]
    takes: PositiveInt
    guidance_scale: Annotated[float, Field(ge=1)]


class Motion(Section):
    finetune: bool
    training: MotionSettings
    frames: PositiveInt
    swap: bool


class Render(Section):
    generators: Annotated[tuple[Literal["text2video_zero", "animatediff"], ...], Field(min_length=1)]
    text2video_zero_frames: Annotated[int, Field(ge=2)]
    animatediff_frames: Annotated[int, Field(ge=2)]
    num_inference_steps: PositiveInt
    fast_mode: bool
    low_vram: bool
    motion_field_strength: tuple[float, float]
    motion_from_clip: bool
    motion_from_words: bool
    t_forward: PositiveInt
    t_warp: PositiveInt
    t_carried: Annotated[int, Field(ge=2)]
    t_events: Annotated[int, Field(ge=2)]
    seeds_tried: PositiveInt


class Encode(Section):
    fps: PositiveInt


class Merged(Section):
    """One combination's settings: its preset, with what it overrides, and what params.yaml says for all."""

    base: str
    seed: int
    device: Literal["auto", "cpu", "cuda"]
    processes: PositiveInt
    finetune_from: str
    subjects: tuple[str, ...]
    prompts: tuple[Prompt, ...]
    motion_prompt: str | None
    sampling_round: int
    source: Source
    license: str
    judges: str | PublicJudges
    aesthetic: Aesthetic | None
    placeholder_tokens: tuple[str, ...]
    precision: Precision
    method: Literal["disen_mix", "plain_mix", "dreambooth", "custom_diffusion", "svdiff"]
    mix: Mix
    sampling: Sampling
    finetune: Settings
    hlr: Hlr
    regions: Regions
    motion: Motion
    render: Render
    encode: Encode

    @property
    def learned_motion(self) -> str | None:
        """The prompt of the clip that motion modules are finetuned for; None if none are."""
        return self.motion_prompt if self.motion.finetune else None

    @model_validator(mode="after")
    def steps_and_picks_are_possible(self) -> "Merged":
        steps = self.render.num_inference_steps
        if "text2video_zero" in self.render.generators and not steps > self.render.t_forward > self.render.t_warp:
            raise ValueError("render.t_warp < render.t_forward < render.num_inference_steps must hold for text2video_zero")
        if self.render.motion_from_clip and self.motion_prompt is None:
            raise ValueError("render.motion_from_clip needs a clip and a motion_prompt, and motion_prompt is null")
        if not self.motion.swap and self.motion.training.copies:
            raise ValueError("motion.swap: false keeps the reference's image modules, which learn with motion.copies: 0 alone")
        if self.finetune.disen_mix.regions and not self.mix.cutouts:
            raise ValueError("finetune.disen_mix.regions needs pictures of cut-outs, and mix.cutouts is 0; 24 are usual")
        if self.mix.cutouts and self.method != "disen_mix":
            raise ValueError(f"mix.cutouts is for method: disen_mix alone, and method is {self.method}; set mix.cutouts to 0")
        if self.hlr.candidates < self.hlr.min_picks:
            raise ValueError("hlr.candidates must be at least hlr.min_picks, or no choice is enough")
        return self
