"""YAML files that a person writes: read strictly, laid over one another."""

import re
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.constructor import DuplicateKeyError

from vd_core.errors import InputError

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def check_name(name: Any) -> None:
    """ValueError if `name` is not a plain name; YAML reads some names as numbers or truth values."""
    if not isinstance(name, str):
        raise ValueError(f"'{name}' is read as a {type(name).__name__} by YAML; quote it")
    if not NAME.fullmatch(name):
        raise ValueError(f"'{name}' is not a name of lower-case letters, digits, - and _")


def read_yaml(path: Path) -> Any:
    """A YAML 1.2 file (where `no` and `on` are words); InputError in one line."""
    try:
        return YAML(typ="safe", pure=True).load(path.read_text())
    except FileNotFoundError:
        raise InputError(f"{path} is missing; run this from the project's root") from None
    except DuplicateKeyError as error:
        raise InputError(f"{path}: {error.problem.splitlines()[0]}; keep one of them") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not readable YAML ({' '.join(str(error).split())}); fix that line") from None


def overlay(below: dict[str, Any], *above: dict[str, Any]) -> dict[str, Any]:
    """Mappings laid over one another, key by key; anything else is replaced whole."""
    merged = dict(below)
    for layer in above:
        for key, value in layer.items():
            both = isinstance(value, dict) and isinstance(merged.get(key), dict)
            merged[key] = overlay(merged[key], value) if both else value
    return merged
