"""runs/<combination>, metrics → the pictures in docs/ and the table in README.md that show a run."""

import json
from pathlib import Path

from PIL import Image

from tasks.shared.command import run_command
from tasks.shared.documents import as_table, fill_table
from tasks.shared.params import load_params, merge
from tasks.shared.paths import run_folder
from vd_core.inputs.pictures import contact_sheet

TILE = 96


def document(name: str) -> None:
    """Draw docs/demo.gif, docs/demo-sheet.png and docs/demo-mix.png, and write the metrics into README.md."""
    render, mix, docs = run_folder(name, "render"), run_folder(name, "mix"), Path("docs")
    videos = [v["video"] for v in json.loads((render / "videos.json").read_text())]
    clips = [[Image.open(p).convert("RGB") for p in sorted((render / v).glob("*.png"))] for v in videos]
    save_gif(clips, docs / "demo.gif", 1000 // merge(load_params(), name).encode.fps)
    rows = [clip[:: -(-len(clip) // 8)] for clip in clips]
    reduce_colours(contact_sheet(rows, TILE)).save(docs / "demo-sheet.png", optimize=True)
    mixed = [Image.open(p).convert("RGB") for p in sorted(mix.glob("[0-9]*.png"))[:8]]
    reduce_colours(contact_sheet([mixed], TILE)).save(docs / "demo-mix.png", optimize=True)
    fill_table(Path("README.md"), "metrics", metrics_table(json.loads((Path("metrics") / f"{name}.json").read_text())))


def save_gif(clips: list[list[Image.Image]], path: Path, milliseconds: int) -> None:
    """All clips side by side, a row a generator's worth of three, each looped to the longest."""
    length = max(len(c) for c in clips)
    frames = [
        reduce_colours(contact_sheet([[c[f % len(c)] for c in clips[i : i + 3]] for i in range(0, len(clips), 3)], TILE))
        for f in range(length)
    ]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0)


def reduce_colours(picture: Image.Image) -> Image.Image:
    """A picture in 128 colors, so that what is committed stays small."""
    return picture.quantize(128, dither=Image.Dither.NONE)


def metrics_table(metrics: dict[str, dict[str, float]]) -> str:
    """Metrics as a Markdown table, a row a generator."""
    names = list(next(iter(metrics.values())))
    rows = [[generator, *(f"{row[n]:.3f}" for n in names)] for generator, row in metrics.items()]
    return as_table(["", *(n.replace("_", " ") for n in names)], rows)


if __name__ == "__main__":
    run_command(document)
