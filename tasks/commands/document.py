"""runs/<combination>, metrics → the pictures in docs/ and the table in README.md that show a run."""

import json
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tasks.shared.command import run_command
from tasks.shared.documents import as_table, fill_table
from tasks.shared.params import load_params, merge
from tasks.shared.paths import metrics_path, run_folder
from tasks.shared.prepared import read_mixed, read_prepared
from vd_core.inputs.pictures import contact_sheet, load_numbered

TILE = 96


def document(name: str) -> None:
    """Draw docs/demo.gif, docs/demo-sheet.png and docs/strip.png, and write the metrics into README.md."""
    render, docs = run_folder(name, "render"), Path("docs")
    videos = [v["video"] for v in json.loads((render / "videos.json").read_text())]
    clips = [load_numbered(render / v) for v in videos]
    save_gif(clips, docs / "demo.gif", 1000 // merge(load_params(), name).encode.fps)
    rows = [clip[:: -(-len(clip) // 8)] for clip in clips]
    reduce_colours(contact_sheet(rows, TILE)).save(docs / "demo-sheet.png", optimize=True)
    given = [picture for own in read_prepared(name).pictures for picture in own[:2]]
    parts = {"given": given, "mixed": read_mixed(name)[:1], "video": clips[0][:: max(1, len(clips[0]) // 3)][:3]}
    draw_strip(parts).save(docs / "strip.png", optimize=True)
    fill_table(Path("README.md"), "metrics", metrics_table(json.loads(metrics_path(name).read_text())))


def draw_strip(parts: dict[str, list[Image.Image]]) -> Image.Image:
    """Groups of pictures in one row, each group under its name, with a wider gap between two groups."""
    sheets, gap, head = {name: contact_sheet([pictures], TILE) for name, pictures in parts.items()}, 24, 22
    width = sum(s.width for s in sheets.values()) + gap * (len(sheets) - 1)
    strip = Image.new("RGB", (width, head + next(iter(sheets.values())).height), "white")
    left, drawing = 0, ImageDraw.Draw(strip)
    for name, sheet in sheets.items():
        drawing.text((left + 6, 3), name, fill="black", font=ImageFont.load_default(15))
        strip.paste(sheet, (left, head))
        left += sheet.width + gap
    return strip


def save_gif(clips: list[list[Image.Image]], path: Path, milliseconds: int) -> None:
    """All clips side by side, a row a generator's worth of three, each looped to the longest."""
    length = max(len(c) for c in clips)
    frames = [
        reduce_colours(contact_sheet([[c[f % len(c)] for c in clips[i : i + 3]] for i in range(0, len(clips), 3)], TILE))
        for f in range(length)
    ]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=milliseconds, loop=0)


def reduce_colours(picture: Image.Image) -> Image.Image:
    """A picture in 128 colours, so that what is committed stays small."""
    return picture.quantize(128, dither=Image.Dither.NONE)


def metrics_table(metrics: dict[str, dict[str, float]]) -> str:
    """Metrics as a Markdown table, a row a generator."""
    names = list(next(iter(metrics.values())))
    rows = [[generator, *(f"{row[n]:.3f}" for n in names)] for generator, row in metrics.items()]
    return as_table(["", *(n.replace("_", " ") for n in names)], rows)


if __name__ == "__main__":
    run_command(document)
