"""HLR's picks: which candidates a person chose. `picks/<combination>.yaml` is small, in git, and an input of re-finetuning."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vd_core.errors import InputError
from vd_core.files import sha256_of, write_text


class Pick(BaseModel):
    """One chosen candidate: its number on the contact sheet, its file, and the file's sha256."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    number: Annotated[int, Field(ge=1)]
    file: Annotated[str, Field(pattern=r"^[0-9]{3}\.png$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Picks(BaseModel):
    """The file. `person`: `picks` were chosen by `chosen_by`; `auto`: the `best` first of the ranking; `skip`: no re-finetuning."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    approval: Literal["person", "auto", "skip"]
    chosen_by: str | None = None
    chosen_at: str | None = None
    best: Annotated[int, Field(ge=1)] | None = None
    picks: tuple[Pick, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """One sampled picture. Candidates are numbered from 1, best first."""

    number: int
    path: Path
    prompt: str
    seed: int
    sha256: str
    figures: dict


def read_candidates(folder: Path) -> list[Candidate]:
    """The candidates of a sample stage, best first."""
    try:
        rows = json.loads((folder / "candidates.json").read_text())
    except FileNotFoundError:
        raise InputError(f"{folder} holds no candidates yet; run the flow, or 'dvc repro sample@{folder.parent.name}'") from None
    return [Candidate(r["number"], folder / r["file"], r["prompt"], r["seed"], r["sha256"], r["figures"]) for r in rows]


def digest_of(candidates: list[Candidate]) -> str:
    """What names these candidates and no others: sixteen hexadecimal digits."""
    return hashlib.sha256("".join(c.sha256 for c in candidates).encode()).hexdigest()[:16]


def pick_candidates(candidates: list[Candidate], numbers: list[int], chosen_by: str) -> Picks:
    """A person's choice by numbers; InputError if one does not exist, or is no longer the picture that was sampled and shown."""
    by_number = {c.number: c for c in candidates}
    unknown = sorted(set(numbers) - by_number.keys())
    if unknown:
        raise InputError(f"there is no candidate {', '.join(map(str, unknown))}; choose from 1 to {len(candidates)}")
    chosen = [by_number[n] for n in sorted(set(numbers))]
    for c in chosen:
        if not c.path.is_file():
            raise InputError(f"{c.path} is gone since it was sampled; run the sample stage again to bring it back")
        if sha256_of(c.path) != c.sha256:
            raise InputError(f"{c.path} was changed since it was sampled; run the sample stage again to bring it back")
    picks = tuple(Pick(number=c.number, file=c.path.name, sha256=c.sha256) for c in chosen)
    chosen_at = datetime.now(UTC).isoformat(timespec="seconds")
    return Picks(approval="person", chosen_by=chosen_by, chosen_at=chosen_at, picks=picks)


def write_picks(picks: Picks, path: Path) -> None:
    """Write the picks file."""
    write_text(path, yaml.safe_dump(picks.model_dump(mode="json", exclude_defaults=True), sort_keys=False))


def read_picks(path: Path) -> Picks:
    """Read and check a picks file; InputError in one line."""
    if not path.is_file():
        raise InputError(f"{path} is missing; choose candidates first, as this says: python -m tasks.commands.pick {path.stem}")
    try:
        return Picks.model_validate(yaml.safe_load(path.read_text()))
    except (yaml.YAMLError, UnicodeDecodeError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else "not YAML"
        raise InputError(
            f"{path} is not a picks file ({reason}); choose again, as this says: python -m tasks.commands.pick {path.stem}"
        ) from None


def resolve_picks(picks: Picks, candidates: list[Candidate], min_picks: int) -> list[Path]:
    """The chosen pictures, each the one that was shown; InputError if one was changed, is gone, or there are too few."""
    if picks.approval == "skip":
        return []
    if picks.approval == "auto":
        return [c.path for c in candidates[: max(picks.best or 0, min_picks)]]
    if len(picks.picks) < min_picks:
        raise InputError(f"{len(picks.picks)} picked; at least {min_picks} are needed (hlr.min_picks)")
    by_name = {c.path.name: c.path for c in candidates}
    for pick in picks.picks:
        path = by_name.get(pick.file)
        if path is None or not path.is_file():
            raise InputError(f"candidate {pick.number} ({pick.file}) is gone since it was picked; choose again")
        if sha256_of(path) != pick.sha256:
            raise InputError(f"{path} is not the picture that was picked as {pick.number}; choose again among today's candidates")
    return [by_name[p.file] for p in picks.picks]


def describe_scores(names: tuple[str, ...], candidate: Candidate) -> list[str]:
    """How like each subject is to its own pictures, how well the picture fits its prompt, and what is wrong with it, in words."""
    figures = candidate.figures
    identity = [f"{name} {v:.2f}" for name, v in zip(names, figures["identity"], strict=True)]
    faults = [f"{figures['missing']} missing"] * bool(figures["missing"]) + ["stitched"] * figures["stitched"]
    return [*identity, f"text {figures['text_fidelity']:.2f}", *faults]


def scores_in_words(names: tuple[str, ...], candidates: list[Candidate]) -> list[str]:
    """A line a candidate: its number and its scores."""
    return [f"{c.number}: {', '.join(describe_scores(names, c))}" for c in candidates]
