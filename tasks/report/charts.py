"""Curves as small drawings: numbers in, the coordinates of an SVG out."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path

WIDTH, HEIGHT = 320, 120


@dataclass(frozen=True)
class Line:
    """One curve: its name, its last value, and its `points` as SVG writes them; `end` is the last of them."""

    name: str
    last: float
    points: str

    @property
    def end(self) -> list[str]:
        return self.points.split(" ")[-1].split(",")


@dataclass(frozen=True)
class Chart:
    """A drawing of WIDTH x HEIGHT, from step 0 to `steps`, and the values at its top and bottom."""

    title: str
    lines: list[Line]
    steps: int
    top: float
    bottom: float

    @property
    def description(self) -> str:
        """The drawing in words, for who does not see it."""
        return f"{self.title}, {self.steps} steps: " + ", ".join(f"{line.name} ends at {line.last:.3g}" for line in self.lines)


def read_columns(path: Path, names: tuple[str, ...] = ()) -> dict[str, list[tuple[int, float]]]:
    """The columns of a CSV over its `step`; all, or those of `names`. None if the file is not there."""
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = [k for k in (rows[0] if rows else ()) if k != "step" and (not names or k in names)]
    return {name: [(int(row["step"]), float(row[name])) for row in rows] for name in wanted}


def draw(title: str, columns: dict[str, list[tuple[int, float]]], logarithmic: bool) -> Chart | None:
    """A chart of all columns on one scale; None if there is nothing to draw. Values of zero and below have no place on a logarithmic scale."""
    kept = {n: [(s, v) for s, v in own if math.isfinite(v) and (v > 0 or not logarithmic)] for n, own in columns.items()}
    kept = {n: own for n, own in kept.items() if own}
    if not kept:
        return None
    scale = math.log if logarithmic else float
    values = [v for own in kept.values() for _, v in own]
    top, bottom, steps = max(values), min(values), max(s for own in kept.values() for s, _ in own)
    height = scale(top) - scale(bottom) or 1.0

    def place(step: int, value: float) -> str:
        return f"{WIDTH * step / steps:.1f},{HEIGHT - HEIGHT * (scale(value) - scale(bottom)) / height:.1f}"

    lines = [Line(n.replace("_", " "), own[-1][1], " ".join(place(*pair) for pair in own)) for n, own in kept.items()]
    return Chart(title, lines, steps, top, bottom)
