"""The rows behind a study's tables as one file that git keeps: what was measured outlives the folder that it was measured in."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vd_core.errors import InputError
from vd_core.files import replacing

KEPT = Path("metrics/studies")
NONE = "none"
Rows = list[dict[str, Any]]


def rows_path(study: str) -> Path:
    """Where a study's rows are kept."""
    return KEPT / f"{study}.csv"


def write_rows(groups: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """Write rows by group (a variant, an arm): a line each, numbers to the last bit. A row may lack what others have."""
    names = list(dict.fromkeys(name for rows in groups.values() for row in rows for name in row))
    with replacing(path) as aside, aside.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["group", *names])
        for group, rows in groups.items():
            writer.writerows([group, *(as_cell(row[name]) if name in row else "" for name in names)] for row in rows)


def read_kept(path: Path) -> dict[str, Rows]:
    """The rows of `write_rows`, by group; InputError if the file is not there."""
    if not path.is_file():
        raise InputError(f"{path} is missing; run its study")
    groups: dict[str, Rows] = {}
    with path.open(newline="") as file:
        for line in csv.DictReader(file):
            group = line.pop("group")
            groups.setdefault(group, []).append({name: as_value(cell) for name, cell in line.items() if cell != ""})
    return groups


def as_cell(value: Any) -> str:
    """A value as text."""
    if value is None:
        return NONE
    return f"'{value}" if isinstance(value, str) else repr(value)


def as_value(cell: str) -> Any:
    """A cell's value: texts begin with an apostrophe, as spreadsheets mark them, so that none is taken for a number or a formula."""
    if cell.startswith("'"):
        return cell[1:]
    if cell == NONE:
        return None
    return int(cell) if cell.lstrip("-").isdigit() else float(cell)
