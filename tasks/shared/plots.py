"""Loss curves as pictures, for eyes that have no DVC at hand."""

import csv
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot


def draw_losses(log: Path, target: Path, title: str) -> None:
    """Draw every column of a loss CSV over its `step`, on a logarithmic scale; nothing if the log is empty or not there."""
    if not log.exists():
        return
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    figure, axes = pyplot.subplots(figsize=(7, 3.5), layout="constrained")
    steps = [int(row["step"]) for row in rows]
    for name in [key for key in (rows[0] if rows else ()) if key != "step"]:
        axes.plot(steps, [float(row[name]) for row in rows], label=name.replace("_", " "))
    axes.set(xlabel="step", ylabel="loss", title=title if rows else f"{title}: nothing was trained", yscale="log")
    if rows:
        axes.legend()
    figure.savefig(target, dpi=110)
    pyplot.close(figure)
