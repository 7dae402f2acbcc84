"""What a run made, where people look for it: artifacts in the Prefect UI."""

import csv
import io
import os
from pathlib import Path

from PIL import Image
from prefect.artifacts import create_markdown_artifact

from tasks.report.figures import figures_table, in_words
from tasks.report.gather import chosen_numbers, read_means, read_videos
from tasks.report.pictures import data_uri, encode_gifs
from tasks.shared.documents import as_table
from tasks.shared.paths import page_path, run_folder
from tasks.shared.picks import Candidate, Picks
from vd_core.inputs.pictures import numbered_sheet

PICTURES = {"sheet.jpg": "image/jpeg", "reference.jpg": "image/jpeg", "losses.png": "image/png"}
LARGEST_RESULT = 2_000_000
"""Bytes of all moving pictures of a result; the UI asks for an artifact as a whole."""
FILES_URL = "VIDEODREAMER_FILES_URL"
"""The environment variable in which `make serve` says where it serves runs/."""


def publish(stage: str, combination: str) -> None:
    """Put the stage's contact sheet, loss curve and validations into the UI."""
    folder = run_folder(combination, stage)
    shown = [link_to(folder / name, as_markdown(folder / name, kind)) for name, kind in PICTURES.items() if (folder / name).is_file()]
    shown += describe_validations(folder)
    if shown:
        create_markdown_artifact("\n\n".join(shown), key=key_of(combination, stage), description=f"{stage} of {combination}")


def publish_result(combination: str, fps: int) -> None:
    """Put the videos, side by side, the metrics and the way to everything else into the UI: one artifact a run."""
    create_markdown_artifact(describe_result(combination, fps), key=key_of(combination, "result"), description=f"result of {combination}")


def describe_result(combination: str, fps: int) -> str:
    """The result in Markdown: a table of moving pictures, a row a prompt and a column a generator, the metrics, and where the page and the LoRA are."""
    videos = read_videos(combination)
    generators, prompts = dict.fromkeys(v.generator for v in videos), dict.fromkeys(v.prompt for v in videos)
    gifs = encode_gifs([v.frames for v in videos], fps, LARGEST_RESULT)
    shown = {v.name: embed(gif, "image/gif", v.name) for v, gif in zip(videos, gifs, strict=False)}
    names = {(v.prompt, v.generator): v.name for v in videos}
    rows = [[in_a_cell(p), *(shown.get(names.get((p, g), ""), "see the page") for g in generators)] for p in prompts]
    head, means = figures_table(read_means(combination))
    folder = page_path(combination).parent
    parts = [
        as_table(["", *map(in_words, generators)], rows),
        as_table(head, means) + "\n↑ higher is better, ↓ lower is better.",
        f"The whole run on one page: {link_to(page_path(combination), str(page_path(combination)))}",
        f"LoRA for diffusers, A1111, Forge and ComfyUI: `{folder}/`, described in {link_to(folder / 'README.md', 'README.md')} there",
    ]
    return "\n\n".join(parts)


def key_of(combination: str, name: str) -> str:
    """An artifact's key."""
    return f"{combination}-{name}".replace("_", "-")


def in_a_cell(text: str) -> str:
    """A person's text in a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def link_to(path: Path, text: str) -> str:
    """`text` as a link to a file of runs/ where `make serve` serves them; without that the text alone."""
    url = os.environ.get(FILES_URL)
    return f"[{text}]({url}/{path.relative_to('runs').as_posix()})" if url else text


def describe_validations(folder: Path) -> list[str]:
    """A table of a training's validations and the contact sheet of the best, in Markdown; nothing if there were none."""
    log = folder / "validation.csv"
    if not log.is_file():
        return []
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    best = next(row for row in rows if row["best"] == "1")
    sheet = folder / f"validation/{int(best['step']):05d}.jpg"
    return [
        f"Validations; the best after {best['step']} steps:\n\n{as_table(list(rows[0]), [list(row.values()) for row in rows])}",
        link_to(sheet, as_markdown(sheet, "image/jpeg")),
    ]


def publish_choice(combination: str, candidates: list[Candidate], picks: Picks) -> None:
    """Put the candidates' contact sheet into the UI, the chosen ones framed."""
    chosen = chosen_numbers(picks)
    sheet = io.BytesIO()
    numbered_sheet([Image.open(c.path) for c in candidates], chosen).save(sheet, "JPEG", quality=90)
    said = f"chosen: {', '.join(map(str, chosen)) or 'none'}, by {picks.chosen_by}"
    create_markdown_artifact(
        f"{said}\n\n{embed(sheet.getvalue(), 'image/jpeg', 'choice')}", key=key_of(combination, "choice"), description=said
    )


def as_markdown(path: Path, kind: str) -> str:
    """A picture's file as a data: URI, so that it shows offline."""
    return embed(path.read_bytes(), kind, path.stem)


def embed(picture: bytes, kind: str, name: str) -> str:
    """An encoded picture in Markdown."""
    return f"![{name}]({data_uri(picture, kind)})"
