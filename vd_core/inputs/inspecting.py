"""What of a subject's folder can be used, and why the rest cannot: all of it at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image

from vd_core.errors import InputError
from vd_core.files import sha256_of
from vd_core.inputs.bars import crop_bars
from vd_core.inputs.decoding import read_picture

ENDINGS = ".jpg .jpeg .jpe .jfif .mpo .png .apng .webp .gif .bmp .tif .tiff .heic .heif .hif .avif"
SILENT = {"thumbs.db", "desktop.ini", "subject.yaml"}
"""What stands beside pictures and is nobody's mistake; so does every name that begins with a dot."""
BARS = "plain bars at its sides are cut off"
HASH_SIDE = 16
NEAR = 0.25
"""Of the hashes' bits that are set in either. In 15 photographs of 3 subjects, copies (half the size, JPEG of quality 40, cut by 1%) differed
in at most 0.24 of them, other views of the same subject in at least 0.45."""


@dataclass(frozen=True)
class Finding:
    """A file, and what a person should know of it."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Inspection:
    """A folder's pictures: the accepted ones, some of which have warnings, the refused ones, and the files that are no pictures.

    `longest_side` is the accepted pictures' longest one, in pixels as they are read; 0 if there are none.
    """

    folder: Path
    accepted: tuple[Path, ...]
    warned: tuple[Finding, ...]
    refused: tuple[Finding, ...]
    left_out: tuple[Finding, ...]
    longest_side: int

    def notes(self) -> list[str]:
        """What should be said of the folder, a line for each reason."""
        return [*by_reason(self.warned), *left_out_lines(self.left_out)]


def inspect_pictures(folder: Path) -> Inspection:
    """Read every picture of `folder` once, one after the other; whatever is wrong is in the result, nothing is raised."""
    if folder.is_symlink():
        return Inspection(folder, (), (), (Finding(folder, f"{folder} is a link; put the folder itself there"),), (), 0)
    pictures, left_out = sort_files(folder)
    accepted, warned, refused, hashes, longest_side = [], [], [], {}, 0
    for path in pictures:
        try:
            read = read_picture(path)
        except InputError as error:
            refused.append(Finding(path, str(error)))
            continue
        accepted.append(path)
        hashes[path] = difference_hash(read.picture)
        longest_side = max(longest_side, *read.picture.size)
        bars = [BARS] if crop_bars(read.picture) is not read.picture else []
        warned += [Finding(path, note) for note in (*read.notes, *bars)]
    return Inspection(folder, tuple(accepted), (*warned, *find_copies(hashes)), tuple(refused), tuple(left_out), longest_side)


def use_all(inspections: list[Inspection]) -> list[tuple[Path, ...]]:
    """Each folder's accepted pictures; InputError of one line that says all that is wrong, if any is refused or a folder has none."""
    wrong = [problem for inspection in inspections for problem in problems(inspection)]
    if wrong:
        raise InputError("; ".join(wrong))
    return [inspection.accepted for inspection in inspections]


def problems(inspection: Inspection) -> list[str]:
    """Why a folder cannot be used as it is."""
    if inspection.refused or inspection.accepted:
        return [finding.reason for finding in inspection.refused]
    return [f"{inspection.folder}/ holds no picture ({ENDINGS}); put some there", *left_out_lines(inspection.left_out)]


def sort_files(folder: Path) -> tuple[list[Path], list[Finding]]:
    """The files of `folder` by name, without opening one: those that should be pictures, and those that are left out."""
    pictures, left_out = [], []
    for path in sorted(p for p in folder.iterdir() if not (p.name.startswith(".") or p.name.lower() in SILENT)):
        if path.is_dir():
            left_out.append(Finding(path, "a folder"))
        elif path.suffix.lower() not in ENDINGS.split():
            left_out.append(Finding(path, f"not one of {ENDINGS}"))
        else:
            pictures.append(path)
    return pictures, left_out


def difference_hash(picture: Image.Image) -> np.ndarray:
    """dHash: where a small grey picture gets brighter to the right, `[HASH_SIDE, HASH_SIDE]` of bool."""
    small = np.asarray(picture.resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.BOX).convert("L"))
    return small[:, 1:] > small[:, :-1]


def find_copies(hashes: dict[Path, np.ndarray]) -> list[Finding]:
    """The pictures that are the same as an earlier one, or nearly."""
    found = {}
    for (first, a), (second, b) in combinations(hashes.items(), 2):
        if second not in found and (a != b).sum() <= NEAR * (a | b).sum():
            same = sha256_of(first) == sha256_of(second)
            found[second] = f"{'the same as' if same else 'nearly the same as'} {shown(first)}"
    return [Finding(path, reason) for path, reason in found.items()]


def by_reason(findings: Iterable[Finding]) -> list[str]:
    """ "a.png, b.png: transparent parts are put on white", a line for each reason."""
    names: dict[str, list[str]] = {}
    for finding in findings:
        names.setdefault(finding.reason, []).append(shown(finding.path))
    return [f"{', '.join(own)}: {reason}" for reason, own in names.items()]


def left_out_lines(findings: Iterable[Finding]) -> list[str]:
    """ "left out a.txt: not one of ...", a line for each reason."""
    return [f"left out {line}" for line in by_reason(findings)]


def shown(path: Path) -> str:
    """A file's name as any terminal can print it in one line."""
    return path.name if path.name.isprintable() else ascii(path.name)
