"""Subjects: what to call them (P_i, see Symbols in docs/method.md) and where their pictures lie."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import yaml

from vd_core.errors import InputError


class Tokenizer(Protocol):
    """What is asked of a tokenizer here."""

    model_max_length: int

    def tokenize(self, text: str) -> list[str]: ...
    def num_special_tokens_to_add(self) -> int: ...


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


def load_subjects(folder: Path, names: tuple[str, ...], tokens: tuple[str, ...]) -> list[Subject]:
    """The subjects of a combination from `folder/<name>/subject.yaml`: `class_noun`, and optionally `placeholder_token`; else one of `tokens`."""
    if len(names) > len(tokens):
        raise InputError(f"{folder.name} has {len(names)} subjects; at most {len(tokens)} are possible")
    subjects = []
    for name, default_token in zip(names, tokens, strict=False):
        path = folder / name / "subject.yaml"
        if not path.parent.is_dir():
            raise InputError(f"{path.parent}/ is missing; put the subject's pictures and subject.yaml there, or remove the subject")
        about = read_mapping(path, required={"class_noun"}, allowed={"class_noun", "placeholder_token"})
        subjects.append(Subject(name, about["class_noun"], about.get("placeholder_token", default_token), path.parent))
    given = [s.placeholder_token for s in subjects]
    if len(set(given)) < len(given):
        raise InputError(f"{folder}: two subjects share the placeholder_token of {given}; give each its own")
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
                f"choose a rare word that is one"
            )
