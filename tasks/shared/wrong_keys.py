"""What is wrong with a key of params.yaml or a preset, in one line that says what to do."""

import difflib
from dataclasses import is_dataclass
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tasks.shared.params import Combination, Merged, Params


def explain(error: ValidationError) -> str:
    """The first of a validation's errors in one line that says what to do."""
    first = next(filter(fits_its_input, error.errors()), error.errors()[0])
    where = [str(part) for part in first["loc"] if part not in ("[key]", "PublicJudges")]
    key = ".".join(where).replace("motion.training", "motion")
    if first["type"] == "missing":
        return f"{key} is missing; add it"
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return suggest(key, sibling_keys(where[:-1]))
    reason = first["msg"].removeprefix("Value error, ")
    if not key:
        return f"{reason}; correct one of them"
    if "; " in reason:  # it says itself what to do
        return f"{key}: {reason}"
    return f"{key}: {reason[0].lower()}{reason[1:]} (it is {first['input']!r}); correct it"


def fits_its_input(error: ErrorDetails) -> bool:
    """Whether an error is about what was written: a section where a name could stand too is not meant as a name."""
    return error["type"] != "string_type" or not isinstance(error["input"], dict)


def suggest(key: str, known: list[str]) -> str:
    """What to say of a key that is not known."""
    close = difflib.get_close_matches(key.split(".")[-1], known, n=1)
    return f"{key} is not a known key; " + (f"did you mean {close[0]}?" if close else "remove it")


def sibling_keys(where: list[str]) -> list[str]:
    """The keys that the section at `where` knows."""
    model: Any = Params if where[:1] in ([], ["combinations"]) else Merged
    for part in where:
        annotation = getattr(model, "__annotations__", {}).get(part)
        annotation = next((kind for kind in get_args(annotation) if is_dataclass(kind)), annotation)
        model = annotation if isinstance(annotation, type) else Combination
    return list(getattr(model, "model_fields", None) or getattr(model, "__annotations__", {}))
