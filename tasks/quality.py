"""models/toybox → its quality.json, and the table in its README: how well the embedded base and its judges do."""

import json
import re
from pathlib import Path

import typer

from tasks.command import quieten_libraries
from vd_core.toybox.quality import measure_quality

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


def main(folder: Path = Path("models/toybox")) -> None:
    """Measure the embedded base on seeds that no training saw."""
    quieten_libraries()
    figures = measure_quality(folder)
    write(folder / "quality.json", json.dumps(figures, indent=1) + "\n")
    readme = folder / "README.md"
    table = as_table(figures)
    write(readme, MARKED.sub(lambda m: m[1] + table + m[2], readme.read_text()))
    print(table)


if __name__ == "__main__":
    typer.run(main)
