"""What to say of photographs on the embedded base, which draws small toys alone."""

from collections.abc import Iterable
from pathlib import Path

from vd_core.settings import PublicJudges

LARGER = 4
"""Pictures of more than so many times the base's side are taken for photographs; drawn toys have its very side."""


def explain_likeness(judges: str | PublicJudges, side: int, longest_sides: Iterable[int]) -> str | None:
    """One line if pictures with these longest sides are photographs to a base of `side` pixels, and it is the embedded one; None otherwise."""
    longest = max(longest_sides, default=0)
    if longest <= LARGER * side or not draws_toys(judges):
        return None
    return (
        f"pictures of up to {longest} pixels on a base that draws toys of {side}: it runs, but a likeness of photographs needs sd15 or sd21"
    )


def draws_toys(judges: str | PublicJudges) -> bool:
    """Whether a base with these judges is the embedded one: no others read drawn toys."""
    return isinstance(judges, str) and (Path(judges) / "reader.safetensors").is_file()
