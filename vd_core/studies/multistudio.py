"""MultiStudioBench (arXiv:2311.00990, section IV-A) as data: 25 subjects, 15 combinations, 30 prompts, 4 seeds: 1,800 videos a method."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vd_core.errors import InputError

SUBJECTS, PAIRS, TRIPLES, PROMPTS = 25, 12, 3, 30
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Folder = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*$")]
Text = Annotated[str, Field(min_length=1)]
Https = Annotated[str, Field(pattern=r"^https://")]
Kind = Literal["action", "background", "both", "bare"]
Profile = Literal["quick", "full"]


class Section(BaseModel):
    """A part of an edition; every key must be there, and no other."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PictureSource(Section):
    """Where pictures come from: a zip `archive` behind a URL, or `by_hand`, the command that a person fetches it with.

    `root` is the folder in the archive that has one folder a subject.
    """

    name: Text
    url: Https
    archive: Https | None
    root: Folder
    license: Text
    by_hand: Text | None


class PhotographedSubject(Section):
    """A subject of a data set: the `folder` of its pictures there, and their license."""

    kind: Literal["pet", "belonging", "toy", "character"]
    class_noun: Text
    source: Name
    folder: Folder
    license: Text


class DrawnSubject(Section):
    """A toy of the drawn world: its kind is its noun; `looks` are color, second color and pattern.

    All pictures that are given of it show one `background`, as people's often do, or, without it, five different ones.
    """

    kind: Literal["toy"]
    class_noun: Text
    looks: tuple[str, str, str]
    background: Text | None = None


class Prompts(Section):
    """What is said after P_c: new actions, new backgrounds, and both (or an interaction)."""

    action: tuple[Text, ...]
    background: tuple[Text, ...]
    both: tuple[Text, ...]


class Quick(Section):
    """The part that a quick run takes: some combinations, and the first prompts of each kind."""

    combinations: tuple[Name, ...]
    prompts_of_each_kind: Annotated[int, Field(ge=1)]
    seeds: Annotated[int, Field(ge=1)]


class Edition(Section):
    """One edition of the benchmark: benchmarks/multistudio/<edition>.yaml."""

    sources: dict[Name, PictureSource]
    subjects: dict[Name, PhotographedSubject | DrawnSubject]
    combinations: dict[Name, tuple[Name, ...]]
    prompts: Prompts
    seeds: Literal[4]
    quick: Quick

    @model_validator(mode="after")
    def counts_are_the_papers(self) -> "Edition":
        prompts = [p for kind in ("action", "background", "both") for p in getattr(self.prompts, kind)]
        sizes = Counter(len(c) for c in self.combinations.values())
        counted = (len(self.subjects), sizes[2], sizes[3], len(self.combinations), len(set(prompts)))
        if counted != (SUBJECTS, PAIRS, TRIPLES, PAIRS + TRIPLES, PROMPTS) or len(prompts) != PROMPTS:
            raise ValueError(
                f"it has {counted[0]} subjects, {counted[1]} pairs and {counted[2]} triples among {counted[3]} combinations, {counted[4]} "
                f"different prompts of {len(prompts)}; the benchmark has {SUBJECTS}, {PAIRS} and {TRIPLES}, {PROMPTS}"
            )
        return self

    @model_validator(mode="after")
    def names_are_known(self) -> "Edition":
        for name, own in self.combinations.items():
            if unknown := set(own) - set(self.subjects):
                raise ValueError(f"combinations.{name} names {min(unknown)}, which is no subject")
            if len({self.subjects[s].class_noun for s in own}) < len(own):
                raise ValueError(f"combinations.{name} has two subjects of one noun; no detector tells them apart")
        if len({frozenset(c) for c in self.combinations.values()}) < len(self.combinations):
            raise ValueError("two combinations have the same subjects")
        if idle := set(self.subjects) - {s for own in self.combinations.values() for s in own}:
            raise ValueError(f"subject {min(idle)} is in no combination")
        if unknown := set(self.quick.combinations) - set(self.combinations):
            raise ValueError(f"quick names {min(unknown)}, which is no combination")
        sources = {s.source for s in self.subjects.values() if isinstance(s, PhotographedSubject)}
        if unknown := sources - set(self.sources):
            raise ValueError(f"a subject's source {min(unknown)} is not among the sources")
        return self


@dataclass(frozen=True)
class Prompt:
    """What is said after P_c, and of which kind it is; a bare one is P_c alone, and no edition has it."""

    text: str
    kind: Kind


@dataclass(frozen=True)
class Selection:
    """What a study runs: each of the combinations with each of the prompts from each of the seeds."""

    combinations: dict[str, dict[str, PhotographedSubject | DrawnSubject]]
    prompts: tuple[Prompt, ...]
    seeds: tuple[int, ...]

    @property
    def videos(self) -> int:
        """The number of videos of one method."""
        return len(self.combinations) * len(self.prompts) * len(self.seeds)


def load_edition(path: Path) -> Edition:
    """Read an edition; InputError in one line if it is not one."""
    try:
        return Edition.model_validate(yaml.safe_load(path.read_text()))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path}: {key + ': ' if key else ''}{first['msg'].removeprefix('Value error, ')}; correct it") from None
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read ({' '.join(str(error).split())}); take it from the repository") from None


def select(edition: Edition, profile: Profile) -> Selection:
    """A profile of an edition: everything, or its quick part. Seeds are counted from 0."""
    quick = edition.quick
    names, each, seeds = (
        (quick.combinations, quick.prompts_of_each_kind, quick.seeds)
        if profile == "quick"
        else (tuple(edition.combinations), None, edition.seeds)
    )
    groups: dict[Kind, tuple[str, ...]] = {
        "action": edition.prompts.action,
        "background": edition.prompts.background,
        "both": edition.prompts.both,
    }
    prompts = tuple(Prompt(text, kind) for kind, texts in groups.items() for text in texts[:each])
    combinations = {name: {s: edition.subjects[s] for s in edition.combinations[name]} for name in names}
    return Selection(combinations, prompts, tuple(range(seeds)))
