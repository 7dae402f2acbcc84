"""Subjects and the prompts that speak of them: P_i, P_c, P_N, P'_c (see Symbols in docs/method.md)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import yaml

from vd_core.errors import InputError

STITCH_PROMPT = "a picture is divided into several regions"
"""P_N."""
PLACEHOLDER_TOKENS = ("sks", "krk", "slk", "ofk", "zwx", "olis", "phol", "pkn")
"""Rare words that CLIP's tokenizer already has, given to the subjects in their order."""


class Tokenizer(Protocol):
    """What is asked of a tokenizer here."""

    def tokenize(self, text: str) -> list[str]: ...


def knows_words(tokenizer: Tokenizer, text: str) -> bool:
    """Whether every word of `text` is one token; the letters of a word that is split may mean nothing to a base."""
    return len(tokenizer.tokenize(text)) == len(text.split())


@dataclass(frozen=True)
class Subject:
    """s_i: what to call it, and where its pictures lie."""

    name: str
    class_noun: str
    placeholder_token: str
    folder: Path

    @property
    def instance_prompt(self) -> str:
        """P_i: "a sks dog"."""
        return f"a {self.placeholder_token} {self.class_noun}"

    @property
    def class_prompt(self) -> str:
        """What any of its kind is called: "a dog"."""
        return f"a {self.class_noun}"


def mixed_prompt(subjects: list[Subject]) -> str:
    """P_c: "a sks dog, a krk cat"; from three on "..., and a slk toy"."""
    names = [s.instance_prompt for s in subjects]
    if len(names) < 3:
        return ", ".join(names)
    return ", ".join(names[:-1]) + ", and " + names[-1]


def extended_prompt(subjects: list[Subject]) -> str:
    """P'_c = [P_N, P_c]."""
    return f"{STITCH_PROMPT}, {mixed_prompt(subjects)}"


def placed_prompt(names: list[str], tokenizer: Tokenizer) -> str:
    """SVDiff's prompt of a cut-mix picture, from left to right: "a V1 dog on the left and a V2 sculpture on the right".

    Published for two. Three and more are ours: "..., a slk toy in the middle and ..."; no place is said there by a base that does not know the word.
    """
    if len(names) == 1:
        return names[0]
    middle = " in the middle" if knows_words(tokenizer, "in the middle") else ""
    return ", ".join([f"{names[0]} on the left", *(n + middle for n in names[1:-1])]) + f" and {names[-1]} on the right"


def plain_prompt(prompt: str, subjects: list[Subject]) -> str:
    """`prompt` without its placeholder tokens, as CLIP-T wants it."""
    tokens = {s.placeholder_token for s in subjects}
    return " ".join(word for word in prompt.split() if word not in tokens)


def load_subjects(folder: Path, names: tuple[str, ...]) -> list[Subject]:
    """The subjects of a combination from `folder/<name>/subject.yaml`: `class_noun`, and `placeholder_token` if one is wished."""
    if len(names) > len(PLACEHOLDER_TOKENS):
        raise InputError(f"params.yaml: {folder.name} has {len(names)} subjects; at most {len(PLACEHOLDER_TOKENS)} are possible")
    subjects = []
    for name, default_token in zip(names, PLACEHOLDER_TOKENS, strict=False):
        path = folder / name / "subject.yaml"
        if not path.parent.is_dir():
            raise InputError(f"{path.parent}/ is missing; put the subject's pictures and subject.yaml there, or take it from params.yaml")
        about = read_mapping(path, required={"class_noun"}, allowed={"class_noun", "placeholder_token"})
        subjects.append(Subject(name, about["class_noun"], about.get("placeholder_token", default_token), path.parent))
    tokens = [s.placeholder_token for s in subjects]
    if len(set(tokens)) < len(tokens):
        raise InputError(f"{folder}: two subjects share the placeholder_token of {tokens}; give each its own")
    return subjects


def read_mapping(path: Path, required: set[str], allowed: set[str]) -> dict[str, str]:
    """A YAML file of plain words under known keys; InputError otherwise."""
    if not path.is_file():
        raise InputError(f"{path} is missing; write into it, for example, 'class_noun: dog'")
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not readable YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict) or not all(isinstance(v, str) and v.strip() for v in content.values()):
        raise InputError(f"{path} must hold words under the keys {', '.join(sorted(allowed))}")
    for key in sorted(required - content.keys()):
        raise InputError(f"{path}: {key} is missing; add it")
    for key in sorted(content.keys() - allowed):
        raise InputError(f"{path}: {key} is not a known key; remove it")
    return content


def check_placeholder_tokens(subjects: list[Subject], tokenizer: Tokenizer) -> None:
    """InputError if a placeholder is not exactly one token of `tokenizer`."""
    for subject in subjects:
        pieces = tokenizer.tokenize(subject.placeholder_token)
        if len(pieces) != 1:
            raise InputError(
                f"{subject.folder / 'subject.yaml'}: placeholder_token '{subject.placeholder_token}' is {len(pieces)} tokens to this base; "
                f"choose a rare word that is one, for example {PLACEHOLDER_TOKENS[0]}"
            )
