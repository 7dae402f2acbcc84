"""What a stage made, where people look for it: artifacts of its task run in the Prefect UI."""

import base64
import csv
import io
import json
from pathlib import Path

from PIL import Image
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from tasks.shared.paths import metrics_path, run_folder
from tasks.shared.picks import Candidate, Picks
from vd_core.inputs.pictures import numbered_sheet

PICTURES = {"sheet.jpg": "image/jpeg", "reference.jpg": "image/jpeg", "losses.png": "image/png"}


def publish(stage: str, combination: str) -> None:
    """Put the stage's contact sheet, loss curve and figures into the UI."""
    folder = run_folder(combination, stage)
    shown = [as_markdown(folder / name, kind) for name, kind in PICTURES.items() if (folder / name).is_file()]
    shown += describe_validations(folder)
    key = f"{combination}-{stage}".replace("_", "-")
    if shown:
        create_markdown_artifact("\n\n".join(shown), key=key, description=f"{stage} of {combination}")
    metrics = metrics_path(combination)
    if stage == "evaluate" and metrics.is_file():
        rows = [{"generator": name, **figures} for name, figures in json.loads(metrics.read_text()).items()]
        create_table_artifact(rows, key=key, description=f"metrics of {combination}")


def describe_validations(folder: Path) -> list[str]:
    """A table of a training's validations and the contact sheet of the best, in Markdown; nothing if there were none."""
    log = folder / "validation.csv"
    if not log.is_file():
        return []
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    best = next(row for row in rows if row["best"] == "1")
    lines = [" | ".join(rows[0]), " | ".join("---" for _ in rows[0]), *(" | ".join(row.values()) for row in rows)]
    table = "\n".join(f"| {line} |" for line in lines)
    return [
        f"Validations; the best after {best['step']} steps:\n\n{table}",
        as_markdown(folder / f"validation/{int(best['step']):05d}.jpg", "image/jpeg"),
    ]


def publish_choice(combination: str, candidates: list[Candidate], picks: Picks) -> None:
    """Put the candidates' contact sheet into the UI, the chosen ones framed."""
    chosen = [p.number for p in picks.picks] or list(range(1, (picks.best or 0) + 1))
    sheet = io.BytesIO()
    numbered_sheet([Image.open(c.path) for c in candidates], chosen).save(sheet, "JPEG", quality=90)
    said = f"chosen: {', '.join(map(str, chosen)) or 'none'}, by {picks.chosen_by}"
    create_markdown_artifact(
        f"{said}\n\n{embed(sheet.getvalue(), 'image/jpeg', 'choice')}", key=f"{combination}-choice".replace("_", "-"), description=said
    )


def as_markdown(path: Path, kind: str) -> str:
    """A picture's file as a data: URI, so that it shows offline."""
    return embed(path.read_bytes(), kind, path.stem)


def embed(picture: bytes, kind: str, name: str) -> str:
    """An encoded picture in Markdown."""
    return f"![{name}](data:{kind};base64,{base64.b64encode(picture).decode()})"
