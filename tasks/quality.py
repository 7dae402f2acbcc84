"""models/toybox → models/toybox/quality.json: how well the embedded base and its judges do."""

import json
from pathlib import Path

import typer

from tasks.command import quieten_libraries
from vd_core.toybox.quality import measure_quality


def main(folder: Path = Path("models/toybox")) -> None:
    """Measure the embedded base on seeds that no training saw."""
    quieten_libraries()
    figures = measure_quality(folder)
    aside = folder / "quality.tmp"
    aside.write_text(json.dumps(figures, indent=1) + "\n")
    aside.replace(folder / "quality.json")
    for key, row in figures.items():
        print(f"{key:22} {row['value']:8.3f}   n {row['n']}, 95% {row['ci95'][0]:.3f} to {row['ci95'][1]:.3f}")


if __name__ == "__main__":
    typer.run(main)
