"""benchmarks/studies.yaml and an edition of MultiStudioBench: what a study compares on what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from tasks.shared.params import Section
from tasks.shared.wrong_keys import explain
from tasks.shared.yaml_files import read_yaml
from vd_core.errors import InputError
from vd_core.settings import PositiveFloat, PositiveInt
from vd_core.studies.multistudio import DrawnSubject, Edition, PhotographedSubject, Prompt, Selection, load_edition, select

PLAN, EDITIONS = Path("benchmarks/studies.yaml"), Path("benchmarks/multistudio")
Generator = Literal["pictures", "text2video_zero", "animatediff"]
"""What a finetuning is shown by: single pictures, each a clip of one frame, or clips."""
GENERATORS: tuple[Generator, ...] = ("pictures", "text2video_zero", "animatediff")
EditionName = Literal["toybox", "real"]
ProfileName = Literal["quick", "full", "sample", "pictures", "clips", "tuning"]
Rates = dict[str, list[PositiveFloat]]
"""Learning rates by variant, ascending."""
Steps = dict[str, list[PositiveInt]]
"""Optimizer steps by variant, ascending."""
About = DrawnSubject | PhotographedSubject
Where = Literal["everywhere", "pairs", "triples", "ablated"]
Several = Annotated[tuple[str, ...], Field(min_length=1)]


class Variant(Section):
    """A method or an ablation: what differs from its method's settings, and where it is run.

    Without a `learning_rate` or `steps` of its own it has its edition's for its method. It is finetuned from the profile's first `training_seeds`, or all of them.
    """

    method: Literal["disen_mix", "plain_mix", "dreambooth", "custom_diffusion", "svdiff"]
    finetune: dict[str, Any] = Field(default_factory=dict)
    hlr: bool = False
    learning_rate: PositiveFloat | None = None
    steps: PositiveInt | None = None
    where: Where = "everywhere"
    generators: tuple[Generator, ...] = GENERATORS
    training_seeds: PositiveInt | None = None

    @model_validator(mode="after")
    def hlr_is_disen_mix(self) -> "Variant":
        if self.hlr and self.method != "disen_mix":
            raise ValueError("re-finetuning supports disen_mix only")
        return self


class Tuning(Section):
    """What learning rates and steps are chosen on: combinations that stand in no other study, the rates that are tried first of each variant, and the steps."""

    combinations: dict[str, dict[str, DrawnSubject]]
    learning_rates: Rates
    steps: Steps


class EditionPlan(Section):
    """A preset for each generator, the methods' learning rates and optimizer steps (else the presets' own), the pairs that the paper's ablations are run on."""

    bases: dict[Generator, str]
    learning_rates: dict[str, PositiveFloat]
    steps: dict[str, PositiveInt] = Field(default_factory=dict)
    ablated: Several
    tuning: Tuning | None = None


class ProfilePlan(Section):
    """How much of an edition is run, by which generators, and of which variants; `bare` more pictures or clips are of P_c alone.

    `where` is by variant, in the place of the variants' own.
    """

    part: Literal["quick", "full"]
    generators: Annotated[tuple[Generator, ...], Field(min_length=1)]
    where: dict[str, Where] = Field(default_factory=dict)
    bare: Annotated[int, Field(ge=0)] = 0
    combinations: PositiveInt | None
    prompts_of_each_kind: PositiveInt | None
    seeds: PositiveInt | None
    variants: Several
    training_seeds: Annotated[tuple[int, ...], Field(min_length=1)]


class Plan(Section):
    """The whole of benchmarks/studies.yaml."""

    variants: dict[str, Variant]
    editions: dict[EditionName, EditionPlan]
    profiles: dict[ProfileName, ProfilePlan]

    @model_validator(mode="after")
    def names_are_known(self) -> "Plan":
        for name, profile in self.profiles.items():
            if unknown := {*profile.variants, *profile.where} - set(self.variants):
                raise ValueError(f"profiles.{name} names {min(unknown)}, which is none of the variants")
        return self


@dataclass(frozen=True)
class Cell:
    """One variant on one combination: what a row of a study is made of. `subjects`: by name, each with its number in the edition."""

    name: str
    variant: Variant
    combination: str
    subjects: dict[str, tuple[int, About]]
    generators: tuple[Generator, ...]


@dataclass(frozen=True)
class Study:
    """A profile of an edition. A bare prompt has `bare` seeds; `overrides` are keys of the presets that differ in the whole study."""

    edition: EditionName
    profile: ProfileName
    bases: dict[Generator, str]
    learning_rates: dict[str, float]
    training_seeds: tuple[int, ...]
    cells: tuple[Cell, ...]
    prompts: tuple[Prompt, ...]
    seeds: tuple[int, ...]
    bare: int
    steps: dict[str, int] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.edition}-{self.profile}"

    @property
    def combinations(self) -> list[str]:
        return list(dict.fromkeys(cell.combination for cell in self.cells))

    def seeds_of(self, prompt: Prompt) -> tuple[int, ...]:
        """The seeds that a prompt's pictures or clips are drawn from."""
        return tuple(range(self.bare)) if prompt.kind == "bare" else self.seeds


def load_plan(path: Path = PLAN) -> Plan:
    """Read the plan; InputError in one line if it is not one."""
    try:
        return Plan.model_validate(read_yaml(path))
    except ValidationError as error:
        raise InputError(f"{path}: {explain(error)}") from None


def plan_study(edition: EditionName, profile: ProfileName) -> Study:
    """The study of a profile; InputError if the plan and the edition do not fit together."""
    plan, content = load_plan(), load_edition(EDITIONS / f"{edition}.yaml")
    own, chosen = plan.editions[edition], plan.profiles[profile]
    if unknown := set(own.ablated) - set(content.combinations):
        raise InputError(f"{PLAN}: editions.{edition}.ablated names {min(unknown)}, which is no combination of {EDITIONS / edition}.yaml")
    selection = select_part(content, chosen)
    numbers = {name: i for i, name in enumerate(content.subjects)}
    cells = tuple(
        Cell(
            name,
            variant,
            c,
            {s: (numbers[s], about) for s, about in subjects.items()},
            tuple(g for g in own.bases if g in variant.generators and g in chosen.generators),
        )
        for name, variant in ((name, plan.variants[name]) for name in chosen.variants)
        for c, subjects in selection.combinations.items()
        if is_run(chosen.where.get(name, variant.where), c, len(subjects), own)
    )
    return Study(
        edition,
        profile,
        own.bases,
        own.learning_rates,
        chosen.training_seeds,
        cells,
        selection.prompts,
        selection.seeds,
        chosen.bare,
        own.steps,
    )


def plan_tuning(key: Literal["learning_rate", "steps"], values: Mapping[str, Sequence[float]]) -> Study:
    """The drawn edition's profile `tuning`: every variant at each of its `values` of a key, on the tuning's combinations."""
    plan, study = load_plan(), plan_study("toybox", "tuning")
    tuning = read_tuning(plan)
    first = {c: 100 + 10 * i for i, c in enumerate(tuning.combinations)}  # no subject of the edition has these numbers
    cells = tuple(
        Cell(
            f"{name}-{value:g}",
            plan.variants[name].model_copy(update={key: value}),
            combination,
            {s: (first[combination] + i, about) for i, (s, about) in enumerate(subjects.items())},
            ("pictures",),
        )
        for name, own in values.items()
        for value in own
        for combination, subjects in tuning.combinations.items()
    )
    return replace(study, cells=cells, steps={})  # rates are chosen at the preset's steps


def read_tuning(plan: Plan) -> Tuning:
    """What learning rates and steps are chosen on; InputError if the plan does not say."""
    tuning = plan.editions["toybox"].tuning
    if tuning is None:
        raise InputError(f"{PLAN}: editions.toybox.tuning is missing; take it from the repository")
    return tuning


def select_part(edition: Edition, profile: ProfilePlan) -> Selection:
    """The combinations, prompts and seeds of a profile."""
    whole = select(edition, profile.part)
    kinds: dict[str, list[Prompt]] = {}
    for prompt in whole.prompts:
        kinds.setdefault(prompt.kind, []).append(prompt)
    bare = (Prompt("", "bare"),) if profile.bare else ()
    prompts = tuple(p for own in kinds.values() for p in own[: profile.prompts_of_each_kind]) + bare
    combinations = dict(list(whole.combinations.items())[: profile.combinations])
    return Selection(combinations, prompts, whole.seeds[: profile.seeds])


def is_run(where: Where, combination: str, subjects: int, own: EditionPlan) -> bool:
    """Whether a variant that is run there is run on a combination of so many subjects."""
    return {"everywhere": True, "pairs": subjects == 2, "triples": subjects == 3, "ablated": combination in own.ablated}[where]
