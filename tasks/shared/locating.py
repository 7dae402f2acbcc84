"""Before a stage loads anything: whether all weights are here or can be fetched."""

from vd_core.errors import InputError
from vd_core.hub import Wanted, locate


def require(wanted: list[Wanted]) -> None:
    """InputError in one line that names what is missing, and why it cannot be fetched."""
    missing = [place for place in locate(wanted) if place.state == "missing"]
    if not missing:
        return
    names = ", ".join(place.wanted.name for place in missing)
    reasons = dict.fromkeys(place.reason for place in missing)
    raise InputError(f"weights are missing ({names}): {'; '.join(reasons)}")
