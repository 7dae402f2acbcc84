"""What a check found."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One line of a check: what was looked at, how it is, and what a person should know or do."""

    what: str
    state: Literal["ok", "warning", "stops"]
    said: str
