"""What a run made, where people look for it: artifacts in the Prefect UI."""

import csv
import io
import os
from pathlib import Path
from uuid import UUID

from PIL import Image
from prefect import get_client, runtime
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterKey
from prefect.client.schemas.objects import Artifact

from tasks.report.figures import figures_table, in_words
from tasks.report.gather import chosen_numbers, read_means, read_videos
from tasks.report.pictures import data_uri, encode_gifs
from tasks.shared.documents import as_table
from tasks.shared.paths import checkpoint_folder, page_path, run_folder
from tasks.shared.picks import Candidate, Picks
from vd_core.inputs.pictures import numbered_sheet

PICTURES = ("sheet.jpg", "reference.jpg", "losses.png")
WIDEST = 800
"""Pixels to which wider pictures are shrunk; the UI has no room for more."""
LARGEST_RESULT = 2_000_000
"""Bytes of all moving pictures of a result; the UI asks for an artifact as a whole."""
FILES_URL = "VIDEODREAMER_FILES_URL"
"""The environment variable in which `make serve` says where it serves runs/."""


def publish(stage: str, combination: str) -> None:
    """Put the stage's contact sheet, loss curve and validations into the UI."""
    folder = run_folder(combination, stage)
    shown = [link_to(folder / name, show_picture(folder / name)) for name in PICTURES if (folder / name).is_file()]
    if rows := read_validations(folder):
        best = next(row for row in rows if row["best"] == "1")
        shown += describe_validations(rows, f"the best after {best['step']} steps", folder / "validation" / sheet_name(best))
    if shown:
        put("\n\n".join(shown), key_of(combination, stage), f"{stage} of {combination}")


def publish_validation(stage: str, combination: str) -> None:
    """Put the newest sample pictures of a training that runs, and the table of its validations so far, into the UI."""
    folder = checkpoint_folder(combination, stage)
    if rows := read_validations(folder):
        shown = describe_validations(rows, f"the newest after {rows[-1]['step']} steps", folder / sheet_name(rows[-1]))
        put("\n\n".join(shown), key_of(combination, stage), f"{stage} of {combination}, while it trains")


def publish_result(combination: str, fps: int) -> None:
    """Put the videos, side by side, the metrics and the way to everything else into the UI: one artifact a run."""
    put(describe_result(combination, fps), key_of(combination, "result"), f"result of {combination}")


def describe_result(combination: str, fps: int) -> str:
    """The result in Markdown: each prompt's moving pictures, a column a generator, the metrics, and where the page and the LoRA are.

    A prompt stands above its pictures: beside them it is so wide in Prefect's first UI that the second generator is out of sight.
    """
    videos = read_videos(combination)
    generators, prompts = dict.fromkeys(v.generator for v in videos), dict.fromkeys(v.prompt for v in videos)
    gifs = encode_gifs([v.frames for v in videos], fps, LARGEST_RESULT)
    shown = {v.name: embed(gif, "image/gif", v.name) for v, gif in zip(videos, gifs, strict=False)}
    names = {(v.prompt, v.generator): v.name for v in videos}
    rows = {prompt: [shown.get(names.get((prompt, g), ""), "see the page") for g in generators] for prompt in prompts}
    head, means = figures_table(read_means(combination))
    folder = page_path(combination).parent
    parts = [
        *(f"**{as_said(prompt)}**\n\n{as_table([*map(in_words, generators)], [row])}" for prompt, row in rows.items()),
        as_table(head, means) + "\n↑ higher is better, ↓ lower is better.",
        f"The whole run on one page: {link_to(page_path(combination), str(page_path(combination)))}",
        f"LoRA for diffusers, A1111, Forge and ComfyUI: `{folder}/`, described in {link_to(folder / 'README.md', 'README.md')} there",
    ]
    return "\n\n".join(parts)


def key_of(combination: str, name: str) -> str:
    """An artifact's key."""
    return f"{combination}-{name}".replace("_", "-")


def as_said(text: str) -> str:
    """A person's text in Markdown, in one line and without a meaning there."""
    return " ".join(text.split()).replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")


def link_to(path: Path, text: str) -> str:
    """`text` as a link to a file of runs/ where `make serve` serves them; without that the text alone."""
    url = os.environ.get(FILES_URL)
    served = url and path.is_relative_to("runs")
    return f"[{text}]({url}/{path.relative_to('runs').as_posix()})" if served else text


def read_validations(folder: Path) -> list[dict[str, str]]:
    """The rows of a training's validations; none if there were none."""
    log = folder / "validation.csv"
    if not log.is_file():
        return []
    with log.open(newline="") as file:
        return list(csv.DictReader(file))


def sheet_name(row: dict[str, str]) -> str:
    """The file of a validation's sample pictures."""
    return f"{int(row['step']):05d}.jpg"


def describe_validations(rows: list[dict[str, str]], which: str, sheet: Path) -> list[str]:
    """A table of a training's validations and the contact sheet of one of them, in Markdown."""
    table = as_table(list(rows[0]), [list(row.values()) for row in rows])
    return [f"Validations; {which}:\n\n{table}", link_to(sheet, show_picture(sheet))]


def publish_choice(combination: str, candidates: list[Candidate], picks: Picks) -> None:
    """Put the candidates' contact sheet into the UI, the chosen ones framed."""
    chosen = chosen_numbers(picks)
    sheet = io.BytesIO()
    numbered_sheet([Image.open(c.path) for c in candidates], chosen).save(sheet, "JPEG", quality=90)
    said = f"chosen: {', '.join(map(str, chosen)) or 'none'}, by {picks.chosen_by}"
    put(f"{said}\n\n{embed(sheet.getvalue(), 'image/jpeg', 'choice')}", key_of(combination, "choice"), said)


def put(text: str, key: str, description: str) -> None:
    """Give the run an artifact in Markdown, or put another text into the one of this key that it has: one card a key."""
    with get_client(sync_client=True) as client:
        if own := find_artifacts(client, key):
            client.update_artifact(own[0].id, ArtifactUpdate(data=text, description=description))
            return
    create_markdown_artifact(text, key=key, description=description)


def remove(key: str) -> None:
    """Remove the run's artifacts of this key."""
    with get_client(sync_client=True) as client:
        for artifact in find_artifacts(client, key):
            client.delete_artifact(artifact.id)


def find_artifacts(client: SyncPrefectClient, key: str) -> list[Artifact]:
    """The artifacts of this key that the run has."""
    run = ArtifactFilterFlowRunId(any_=[UUID(runtime.flow_run.id)])
    return client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key]), flow_run_id=run))


def show_picture(path: Path) -> str:
    """A picture's file in Markdown, as a data: URI, so that it shows offline; shrunk if it is wider than WIDEST."""
    picture = Image.open(path)
    if picture.width <= WIDEST:
        return embed(path.read_bytes(), Image.MIME[picture.format or "JPEG"], path.stem)
    shrunk, encoded = picture.convert("RGB"), io.BytesIO()
    shrunk.thumbnail((WIDEST, picture.height), Image.Resampling.LANCZOS)
    shrunk.save(encoded, "JPEG", quality=85)
    return embed(encoded.getvalue(), "image/jpeg", path.stem)


def embed(picture: bytes, kind: str, name: str) -> str:
    """An encoded picture in Markdown."""
    return f"![{name}]({data_uri(picture, kind)})"
