"""A clip, as the mix stage will take it."""

from pathlib import Path

from vd_core.inputs.clips import Clip, load_clip

CHECKED_SIDE = 64  # pixels of the frames that are looked at and thrown away


def look_at_clip(path: Path, frames: int) -> Clip:
    """The clip at a small size; InputError if it cannot be read or has fewer than `frames` frames."""
    return load_clip(path, frames, CHECKED_SIDE)
