"""models/toybox → its quality.json, and the table in its README: how well the embedded base and its judges do."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from tasks.shared.command import silence_libraries
from tasks.shared.documents import as_table, fill_table
from vd_core.files import write_json
from vd_core.toybox.quality.measures import MEASURES, measure_quality


def figures_table(figures: dict[str, dict]) -> str:
    """The figures as a Markdown table."""
    rows = [[f"`{k}`", f"{f['value']:.3f}", f"{f['ci95'][0]:.3f} to {f['ci95'][1]:.3f}", str(f["n"])] for k, f in figures.items()]
    return as_table(["figure", "value", "95% interval", "n"], rows)


def main(
    folder: Path = Path("models/toybox"),
    only: Annotated[list[str] | None, typer.Option(help=f"measure some parts again, the rest stays: {', '.join(MEASURES)}")] = None,
) -> None:
    """Measure the embedded base on seeds that no training saw."""
    silence_libraries()
    unknown = set(only or ()) - set(MEASURES)
    if unknown:
        print(f"error: there is no part '{min(unknown)}'; choose from {', '.join(MEASURES)}", file=sys.stderr)
        raise typer.Exit(1)
    target = folder / "quality.json"
    before = json.loads(target.read_text()) if only and target.exists() else {}
    figures = before | measure_quality(folder, only or list(MEASURES))
    write_json(target, figures)
    table = figures_table(figures)
    fill_table(folder / "README.md", "figures", table)
    print(table)


if __name__ == "__main__":
    typer.run(main)
