"""A person's pictures into clean RGB pictures, or a clear error."""

import warnings
from collections.abc import Collection
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps, UnidentifiedImageError

from vd_core.errors import InputError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
SMALLEST_SIDE = 16

BAR_NOISE = 8.0  # grey levels by which a line of a bar may differ from the bar's colour, on average
BAR_SMEAR = 16  # lines over which a JPEG's blocks smear a bar's edge
BAR_STEP = 16  # grey levels by which a picture's pixels differ from the colour of the bar beside them
BAR_SHARE = 0.85  # of those pixels that differ where a bar ends


def find_pictures(folder: Path) -> list[Path]:
    """The pictures of `folder` by name; InputError if it holds none."""
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    if not paths:
        raise InputError(f"{folder}/ holds no picture ({', '.join(sorted(SUFFIXES))}); put three to five of the subject there")
    return paths


def load_picture(path: Path) -> Image.Image:
    """One picture, upright, in RGB; InputError if it cannot be read or is too small."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                picture = ImageOps.exif_transpose(file).convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path} is not a readable picture ({type(error).__name__}); replace or remove it") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"{path} has too many pixels; shrink it below {Image.MAX_IMAGE_PIXELS:,} or remove it") from None
    if min(picture.size) < SMALLEST_SIDE:
        raise InputError(
            f"{path} is {picture.width} x {picture.height}; at least {SMALLEST_SIDE} x {SMALLEST_SIDE} is needed: replace or remove it"
        )
    return picture


def bar_width(picture: np.ndarray) -> int:
    """How many lines of uint8 RGB `picture` `[lines, length, 3]` a bar takes at its start; 0 if there is none.

    A bar has one colour along its whole length and ends at once, in a line that mostly differs from it: a plain background ends in a
    subject's rounded outline, or not at all. It takes less than half of the lines.
    """
    colour = np.median(picture[0], axis=0)
    smallest = max(2, len(picture) // 64)
    smeared = BAR_SMEAR if len(picture) >= 16 * BAR_SMEAR else 1
    ends = (n for n, line in enumerate(picture[: len(picture) // 2]) if np.abs(line - colour).max(axis=1).mean() > BAR_NOISE)
    end = next(ends, 0)
    if end < smallest:
        return 0
    for n in range(end, end + smeared):
        differs = np.abs(picture[n] - colour).max(axis=1) > BAR_STEP
        jumps = np.abs(picture[n + 1] - picture[n - 2].astype(float)).max(axis=1) > BAR_STEP  # a gradient does not
        inside = slice(int(differs.argmax()), len(differs) - int(differs[::-1].argmax()))  # between bars that cross this one
        if 4 * (inside.stop - inside.start) >= 3 * len(differs) and (differs & jumps)[inside].mean() >= BAR_SHARE:
            return n
    return 0


def crop_bars(picture: Image.Image) -> Image.Image:
    """An RGB picture without the plain bars at its sides, of whatever colour; the very same object if it has none.

    At least half of its width and of its height stay.
    """
    array = np.asarray(picture)
    height, width = array.shape[:2]
    left, top, right, bottom = 0, 0, width, height
    for _ in range(2):  # a bar may show only when those across it are gone
        rest = array[top:bottom, left:right]
        above, below = bar_width(rest), bar_width(rest[::-1])
        if 2 * (bottom - top - above - below) >= height:
            top, bottom = top + above, bottom - below
        rest = array[top:bottom, left:right].transpose(1, 0, 2)
        before, after = bar_width(rest), bar_width(rest[::-1])
        if 2 * (right - left - before - after) >= width:
            left, right = left + before, right - after
    box = (left, top, right, bottom)
    return picture if box == (0, 0, width, height) else picture.crop(box)


def load_square(path: Path, resolution: int) -> Image.Image:
    """The middle square of a picture at `resolution` x `resolution`, bars cropped."""
    return ImageOps.fit(crop_bars(load_picture(path)), (resolution, resolution), Image.Resampling.LANCZOS)


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
