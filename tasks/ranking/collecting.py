"""The answers of a human study, as people saved them, held against its key."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vd_core.errors import InputError
from vd_core.studies.ranking import Rankings, agreement, as_ranks, mean_ranks


class Answer(BaseModel):
    """One question's videos from best to worst, and how long it took."""

    model_config = ConfigDict(extra="forbid")
    question: str
    order: list[str]
    seconds: Annotated[float, Field(ge=0)]


class Answers(BaseModel):
    """One person's file."""

    model_config = ConfigDict(extra="forbid")
    study: str
    person: Annotated[str, Field(min_length=8, max_length=64)]
    answers: list[Answer]


class Key(BaseModel):
    """What a study's videos are."""

    study: str
    methods: tuple[str, ...]
    prompts: dict[str, str]
    videos: dict[str, dict[str, str]]


def read_key(path: Path) -> Key:
    """The key that `rank build` wrote beside the page."""
    try:
        return Key.model_validate_json(path.read_text())
    except (OSError, ValidationError) as error:
        raise InputError(f"{path} is no study's key ({type(error).__name__}); take the .key.json that 'rank build' wrote") from None


def read_answers(paths: list[Path], key: Key) -> Rankings:
    """All people's rankings; InputError names the file that is not an answer to this study. Of a person's two files the later counts."""
    by_person = {answers.person: answers for answers in (read_file(path, key) for path in paths)}
    rows = [(a.person, to_ranks(answer, key)) for a in by_person.values() for answer in a.answers]
    if not rows:
        raise InputError("no answer was given; collect the files that the page saves")
    return Rankings(key.methods, tuple(person for person, _ in rows), np.array([ranks for _, ranks in rows]))


def read_file(path: Path, key: Key) -> Answers:
    """One person's answers."""
    try:
        answers = Answers.model_validate_json(path.read_text())
        for answer in answers.answers:
            to_ranks(answer, key)
    except (OSError, ValidationError, ValueError, KeyError) as error:
        raise InputError(f"{path} is no answer file ({type(error).__name__}); leave it out, or have it saved again") from None
    if answers.study != key.study:
        raise InputError(f"{path} answers another study; leave it out")
    return answers


def to_ranks(answer: Answer, key: Key) -> list[int]:
    """The rank of each method; KeyError or ValueError if the answer is not one to the study's questions."""
    return as_ranks([key.videos[answer.question][name] for name in answer.order], key.methods)


def summarise(rankings: Rankings) -> dict[str, Any]:
    """Mean ranks and agreement, and what they rest on."""
    counts = {"people": len(set(rankings.people)), "answers": len(rankings.people)}
    return {"mean_rank": mean_ranks(rankings), "agreement": agreement(rankings), **counts}
