"""A subject's pictures and a clip, as the mix stage will take them."""

from dataclasses import dataclass
from pathlib import Path

from vd_core.errors import InputError
from vd_core.inputs.clips import load_clip
from vd_core.inputs.pictures import find_pictures, load_picture

CHECKED_SIDE = 64  # pixels of the clip's frames that are looked at and thrown away


@dataclass(frozen=True)
class Looked:
    """The accepted pictures of a folder, what should be said of some, and why others are refused."""

    accepted: tuple[Path, ...]
    warned: tuple[str, ...]
    refused: dict[Path, str]


def look_at(folder: Path) -> Looked:
    """Read every picture of `folder`; InputError if it holds none."""
    accepted, refused = [], {}
    for path in find_pictures(folder):
        try:
            load_picture(path)
        except InputError as error:
            refused[path] = str(error)
        else:
            accepted.append(path)
    return Looked(tuple(accepted), (), refused)


def look_at_clip(path: Path, frames: int) -> None:
    """InputError if the clip cannot be read or has fewer than `frames` frames."""
    load_clip(path, frames, CHECKED_SIDE)
