"""Pictures as squares, as tensors and as sheets."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps

from vd_core.inputs.bars import crop_bars
from vd_core.inputs.decoding import read_picture

LABEL = 22
"""Pixels of a name above its pictures on a sheet."""


def load_picture(path: Path) -> Image.Image:
    """One picture, upright, in RGB; InputError if it cannot be read or is too small."""
    return read_picture(path).picture


def load_square(path: Path, resolution: int) -> Image.Image:
    """The middle square of a picture at `resolution` x `resolution`, bars cropped."""
    return ImageOps.fit(crop_bars(load_picture(path)), (resolution, resolution), Image.Resampling.LANCZOS)


def load_numbered(folder: Path) -> list[Image.Image]:
    """The pictures 000.png, 001.png, ... that a stage wrote into `folder`."""
    return [Image.open(p).convert("RGB") for p in sorted(folder.glob("[0-9]*.png"))]


def to_pixel_values(pictures: list[Image.Image]) -> torch.Tensor:
    """Pictures of one size as float32 `[b, 3, h, w]` in [-1, 1]."""
    array = np.stack([np.asarray(p, dtype=np.float32) for p in pictures])
    return torch.from_numpy(array).permute(0, 3, 1, 2) / 127.5 - 1


def to_pictures(pixel_values: torch.Tensor) -> list[Image.Image]:
    """The other way: `[b, 3, h, w]` in [-1, 1] (clipped) to pictures."""
    array = ((pixel_values.float().clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(a) for a in array]


def contact_sheet(rows: list[list[Image.Image]], tile: int = 128, gap: int = 4) -> Image.Image:
    """Pictures in rows on white, each `tile` pixels square."""
    width = max(len(row) for row in rows) * (tile + gap) + gap
    sheet = Image.new("RGB", (width, len(rows) * (tile + gap) + gap), "white")
    for r, row in enumerate(rows):
        for c, picture in enumerate(row):
            resample = Image.Resampling.NEAREST if picture.width < tile else Image.Resampling.LANCZOS
            sheet.paste(picture.resize((tile, tile), resample), (gap + c * (tile + gap), gap + r * (tile + gap)))
    return sheet


def labelled_sheet(groups: dict[str, list[Image.Image]], columns: int = 8, tile: int = 128) -> Image.Image:
    """A contact sheet of named groups, each in rows of its own under its name."""
    sheets = [contact_sheet([own[i : i + columns] for i in range(0, len(own), columns)], tile) for own in groups.values()]
    whole = Image.new("RGB", (max(s.width for s in sheets), sum(s.height + LABEL for s in sheets)), "white")
    top = 0
    for name, sheet in zip(groups, sheets, strict=True):
        ImageDraw.Draw(whole).text((5, top + 2), name, fill="black", font=ImageFont.load_default(15))
        whole.paste(sheet, (0, top + LABEL))
        top += LABEL + sheet.height
    return whole


def numbered_sheet(pictures: list[Image.Image], chosen: Collection[int] = (), columns: int = 4, tile: int = 128) -> Image.Image:
    """A contact sheet whose pictures carry their numbers, from 1; the chosen ones are framed in green."""
    numbered = []
    for number, picture in enumerate(pictures, start=1):
        resample = Image.Resampling.NEAREST if picture.width < tile else Image.Resampling.LANCZOS
        marked = picture.resize((tile, tile), resample)
        drawing = ImageDraw.Draw(marked)
        drawing.rectangle((0, 0, 10 + 9 * len(str(number)), 20), fill="white")
        drawing.text((5, 2), str(number), fill="black", font=ImageFont.load_default(15))
        if number in chosen:
            drawing.rectangle((0, 0, tile - 1, tile - 1), outline="limegreen", width=6)
        numbered.append(marked)
    return contact_sheet([numbered[i : i + columns] for i in range(0, len(numbered), columns)], tile)
