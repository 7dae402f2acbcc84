"""What a stage made, where people look for it: artifacts of its task run in the Prefect UI."""

import base64
import json
from pathlib import Path

from prefect.artifacts import create_markdown_artifact, create_table_artifact

PICTURES = {"sheet.jpg": "image/jpeg", "reference.jpg": "image/jpeg", "losses.png": "image/png"}


def publish(stage: str, combination: str) -> None:
    """Put the stage's contact sheet, loss curve and figures into the UI."""
    folder = Path("runs") / combination / stage
    shown = [as_markdown(folder / name, kind) for name, kind in PICTURES.items() if (folder / name).is_file()]
    key = f"{combination}-{stage}".replace("_", "-")
    if shown:
        create_markdown_artifact("\n\n".join(shown), key=key, description=f"{stage} of {combination}")
    metrics = Path("metrics") / f"{combination}.json"
    if stage == "evaluate" and metrics.is_file():
        rows = [{"generator": name, **figures} for name, figures in json.loads(metrics.read_text()).items()]
        create_table_artifact(rows, key=key, description=f"metrics of {combination}")


def as_markdown(path: Path, kind: str) -> str:
    """A picture as a data: URI, so that it shows offline."""
    return f"![{path.stem}](data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()})"
