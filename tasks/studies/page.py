"""One page with a study's clips side by side: a row a prompt; the given subjects and the methods are its columns. It needs no network."""

import io
from pathlib import Path
from typing import Any

from PIL import Image

from tasks.report.pictures import SMALL, data_uri, embed_picture
from tasks.shared.templates import read_template
from tasks.studies.figures import Rows, cell_folder, shown_prompts
from tasks.studies.plan import Generator, Study
from vd_core.inputs.pictures import load_numbered
from vd_core.studies.paper_tables import METHODS, PaperTable

SIDE = 160
"""Pixels of a frame, at most."""
NAMES: dict[Generator, str] = {"pictures": "pictures", "text2video_zero": "Text2Video-Zero", "animatediff": "AnimateDiff"}
FPS = 8


def build_page(study: Study, table: dict[str, Rows], tables: list[PaperTable]) -> str:
    """The page's HTML: every combination by every generator, and the tables."""
    methods = {m: name for m, name in METHODS.items() if m in table}
    groups = [describe_group(study, table, c, g, methods) for c in study.combinations for g in study.bases]
    shown = [g for g in groups if g]
    return read_template(__file__, "page.html").render(
        name=study.name,
        methods=list(methods.values()),
        groups=shown,
        longest=max((c["frames"] for g in shown for row in g["rows"] for c in row["clips"] if c), default=1),
        tables=[as_cells(t) for t in tables],
        fps=FPS,
    )


def describe_group(
    study: Study, table: dict[str, Rows], combination: str, generator: Generator, methods: dict[str, str]
) -> dict[str, Any] | None:
    """One combination by one generator; None if no method has clips of it."""
    rows = [r for m in methods for r in table[m] if (r["combination"], r["generator"]) == (combination, generator)]
    if not rows:
        return None
    folders = [cell_folder(study.name, m, combination) for m in methods]
    given = sorted((next(f for f in folders if f.is_dir()) / "given").glob("*.png"))
    prompts = shown_prompts(rows)
    return {
        "title": f"{combination.replace('_', ', ')} · {NAMES[generator]}",
        "given": [{"name": p.stem, "picture": embed_picture(Image.open(p), SIDE)} for p in given],
        "rows": [
            {"prompt": p, "clips": [describe_clip(f / "clips" / generator / f"{i:02d}") for f in folders]} for i, p in enumerate(prompts)
        ],
    }


def describe_clip(folder: Path) -> dict[str, Any] | None:
    """A clip as one picture, its frames side by side; None if there is none."""
    frames = load_numbered(folder)
    if not frames:
        return None
    side = min(SIDE, frames[0].width)
    strip = Image.new("RGB", (side * len(frames), side))
    for i, frame in enumerate(frames):
        strip.paste(frame.resize((side, side), Image.Resampling.LANCZOS) if frame.width != side else frame, (i * side, 0))
    encoded = io.BytesIO()
    strip.save(encoded, "WEBP", lossless=side <= SMALL, quality=85)
    return {"frames": len(frames), "strip": data_uri(encoded.getvalue(), "image/webp")}


def as_cells(table: PaperTable) -> dict[str, Any]:
    """A table whose cells are text and how it is marked."""
    rows = [
        [{"text": c.strip("*").removeprefix("<u>").removesuffix("</u>"), "best": "**" in c, "second": "<u>" in c} for c in row]
        for row in table.rows
    ]
    return {"title": f"Table {table.number}: {table.title}", "head": table.head, "rows": rows}
