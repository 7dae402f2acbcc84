"""What a training writes down: CSVs of losses and of validations, without a row twice after a resume."""

import csv
from pathlib import Path

from vd_core.files import replacing


def read_rows(path: Path, start: int) -> list[dict]:
    """The rows of a CSV up to step `start`; none at the start or without a file."""
    if not start or not path.exists():
        return []
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if int(row["step"]) <= start]


def write_rows(path: Path, rows: list[dict]) -> None:
    """Write all rows; nothing if there are none."""
    if rows:
        with replacing(path) as aside, aside.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


class LossLog:
    """A CSV of means over every `every` steps. Going on from `start`, later rows are dropped; `window` are the losses since the last row."""

    def __init__(self, path: Path, start: int, window: list[dict[str, float]] | None = None, every: int = 10):
        self.path, self.every, self.window = path, every, window or []
        self.rows = read_rows(path, start)

    def add(self, step: int, losses: dict[str, float]) -> None:
        """Take one step's losses in."""
        self.window.append(losses)
        if (step + 1) % self.every == 0:
            means = {k: f"{sum(w[k] for w in self.window) / len(self.window):.6f}" for k in losses}
            self.rows.append({"step": step + 1, **means})
            self.window = []

    def write(self) -> None:
        """Write what is complete."""
        write_rows(self.path, self.rows)


class ValidationLog:
    """A CSV of validations' figures; in column `best` stands 1 at the highest `score` so far, else 0."""

    def __init__(self, path: Path, start: int):
        self.path, self.rows = path, read_rows(path, start)

    def add(self, step: int, figures: dict[str, float]) -> bool:
        """Take one validation in; whether it is the best so far."""
        best = all(figures["score"] > float(row["score"]) for row in self.rows)
        if best:
            self.rows = [{**row, "best": 0} for row in self.rows]
        self.rows.append({"step": step, **{k: f"{v:.4f}" for k, v in figures.items()}, "best": int(best)})
        return best

    def write(self) -> None:
        """Write all rows."""
        write_rows(self.path, self.rows)
