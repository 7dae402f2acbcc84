"""runs/<combination>, metrics → the pictures in docs/ and the table in README.md that show a run."""

import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tasks.shared.command import run_command
from tasks.shared.documents import as_table, fill_table
from tasks.shared.merging import load_params, merge
from tasks.shared.paths import metrics_path, run_folder
from tasks.shared.prepared import read_clip, read_mixed, read_prepared
from vd_core.inputs.pictures import contact_sheet, load_numbered
from vd_core.inputs.prompts import plain_prompt

SHOWN = ("subject_fidelity", "missing_rate", "text_fidelity", "temporal_consistency", "stitch_score")
"""The figures that README shows: the paper's. The file has more."""

TILE, MOVING = 96, 112
SIDE = 192
LABEL, ARROW, GAP = 24, 32, 4
"""Of the strip, in pixels: a mixed picture's side, the labels' height, an arrow's width, the space around a picture."""


def document(name: str) -> None:
    """Draw docs/strip.png, docs/demo.gif, docs/demo-sheet.png and docs/demo-mix.png, and write the metrics into README.md.

    Of a combination that takes another's subjects: docs/<combination>.gif alone.
    """
    render, docs = run_folder(name, "render"), Path("docs")
    videos, params = json.loads((render / "videos.json").read_text()), load_params()
    clips, milliseconds = [load_numbered(render / v["video"]) for v in videos], 1000 // merge(params, name).encode.fps
    if params.combination(name).finetune_from != name:
        save_gif([contact_sheet(in_threes(frames), TILE) for frames in in_step(clips)], docs / f"{name}.gif", milliseconds)
        return
    prepared, mixed = read_prepared(name), read_mixed(name)
    given = [own[:2] for own in prepared.pictures]
    strip = draw_strip(given, mixed[0], spread(clips[0], 3), plain_prompt(videos[0]["prompt"], prepared.subjects))
    reduce_colors(strip).save(docs / "strip.png", optimize=True)
    save_gif(list(draw_moving(given, read_clip(name), clips)), docs / "demo.gif", milliseconds)
    rows = [clip[:: -(-len(clip) // 8)] for clip in clips]
    reduce_colors(contact_sheet(rows, TILE)).save(docs / "demo-sheet.png", optimize=True)
    reduce_colors(contact_sheet([mixed[:8]], TILE)).save(docs / "demo-mix.png", optimize=True)
    fill_table(Path("README.md"), "metrics", metrics_table(json.loads(metrics_path(name).read_text())))


def draw_strip(given: list[list[Image.Image]], mixed: Image.Image, frames: list[Image.Image], prompt: str) -> Image.Image:
    """Inputs to output, left to right: a row of given pictures a subject → a mixed picture → frames of the video of `prompt`."""
    small = (SIDE + GAP) // len(given) - GAP
    blocks = {
        "given pictures": contact_sheet(given, small, GAP),
        "one mixed picture": contact_sheet([[mixed]], SIDE, GAP),
        f"one video: {prompt}": contact_sheet([frames], SIDE, GAP),
    }
    return join_blocks(blocks)


def join_blocks(blocks: dict[str, Image.Image]) -> Image.Image:
    """Pictures from left to right, with arrows between them, each under its label; lower ones stand half way down."""
    width, height = sum(block.width for block in blocks.values()) + ARROW * (len(blocks) - 1), max(b.height for b in blocks.values())
    strip = Image.new("RGB", (width, LABEL + height), "white")
    left = 0
    for label, block in blocks.items():
        if left:
            draw_arrow(strip, left, LABEL + height // 2)
            left += ARROW
        ImageDraw.Draw(strip).text((left + GAP, GAP), label, fill="black", font=ImageFont.load_default(15))
        strip.paste(block, (left, LABEL + (height - block.height) // 2))
        left += block.width
    return strip


def draw_arrow(strip: Image.Image, left: int, y: int) -> None:
    """An arrow to the right at `left`."""
    drawing, tip = ImageDraw.Draw(strip), left + ARROW - GAP
    drawing.line((left + GAP, y, tip - 8, y), fill="black", width=3)
    drawing.polygon([(tip, y), (tip - 10, y - 7), (tip - 10, y + 7)], fill="black")


def spread(frames: list[Image.Image], count: int) -> list[Image.Image]:
    """The first frame, the last, and others evenly between them: `count` in all."""
    return [frames[i * (len(frames) - 1) // (count - 1)] for i in range(count)]


def draw_moving(given: list[list[Image.Image]], reference: list[Image.Image], clips: list[list[Image.Image]]) -> Iterator[Image.Image]:
    """What a run was given (the first picture of each subject, the reference clip if there is one) and its clips, frame by frame."""
    first = [own[0] for own in given]
    still = {"given": contact_sheet([row for row in (first[::2], first[1::2]) if row], MOVING)}
    for frames in in_step([reference, *clips] if reference else clips):
        moving = {"a clip": contact_sheet([frames[:1]], MOVING)} if reference else {}
        yield join_blocks({**still, **moving, "videos": contact_sheet(in_threes(frames[len(moving) :]), MOVING)})


def in_step(clips: list[list[Image.Image]]) -> Iterator[list[Image.Image]]:
    """The frames that clips show at once, each as slow as the longest."""
    length = max(map(len, clips))
    for f in range(length):
        yield [clip[f * len(clip) // length] for clip in clips]


def in_threes(pictures: list[Image.Image]) -> list[list[Image.Image]]:
    """Rows of three."""
    return [pictures[i : i + 3] for i in range(0, len(pictures), 3)]


def save_gif(frames: list[Image.Image], path: Path, milliseconds: int) -> None:
    """Pictures one after the other, for ever."""
    few = [reduce_colors(frame) for frame in frames]
    few[0].save(path, save_all=True, append_images=few[1:], duration=milliseconds, loop=0)


def reduce_colors(picture: Image.Image) -> Image.Image:
    """A picture in 128 colors, so that what is committed stays small."""
    return picture.quantize(128, dither=Image.Dither.NONE)


def metrics_table(metrics: dict[str, dict[str, float]]) -> str:
    """The metrics SHOWN as a Markdown table, a row a generator."""
    names = [n for n in SHOWN if n in next(iter(metrics.values()))]
    rows = [[generator, *(f"{row[n]:.3f}" for n in names)] for generator, row in metrics.items()]
    return as_table(["", *(n.replace("_", " ") for n in names)], rows)


if __name__ == "__main__":
    run_command(document)
