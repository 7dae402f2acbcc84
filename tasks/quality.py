"""models/toybox → its quality.json, and the table in its README: how well the embedded base and its judges do."""

import json
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from tasks.command import quieten_libraries
from vd_core.toybox.quality import MEASURES, measure_quality

MARKED = re.compile(r"(<!-- figures -->\n).*?(<!-- /figures -->)", re.DOTALL)


def as_table(figures: dict[str, dict]) -> str:
    """The figures as a Markdown table."""
    rows = [f"| `{k}` | {f['value']:.3f} | {f['ci95'][0]:.3f} to {f['ci95'][1]:.3f} | {f['n']} |\n" for k, f in figures.items()]
    return "| figure | value | 95% interval | n |\n|---|---|---|---|\n" + "".join(rows)


def write(path: Path, text: str) -> None:
    """Write a file aside and rename it."""
    aside = path.with_suffix(".tmp")
    aside.write_text(text)
    aside.replace(path)


def main(
    folder: Path = Path("models/toybox"),
    only: Annotated[list[str] | None, typer.Option(help=f"measure some parts again, the rest stays: {', '.join(MEASURES)}")] = None,
) -> None:
    """Measure the embedded base on seeds that no training saw."""
    quieten_libraries()
    unknown = set(only or ()) - set(MEASURES)
    if unknown:
        print(f"error: there is no part '{min(unknown)}'; choose of {', '.join(MEASURES)}", file=sys.stderr)
        raise typer.Exit(1)
    target = folder / "quality.json"
    before = json.loads(target.read_text()) if only and target.exists() else {}
    figures = before | measure_quality(folder, only or list(MEASURES))
    write(target, json.dumps(figures, indent=1) + "\n")
    readme = folder / "README.md"
    table = as_table(figures)
    write(readme, MARKED.sub(lambda m: m[1] + table + m[2], readme.read_text()))
    print(table)


if __name__ == "__main__":
    typer.run(main)
