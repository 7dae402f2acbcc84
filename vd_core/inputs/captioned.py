"""Sheets of pictures to choose from: large numbers, words under each picture, and what they are to be compared with above them."""

import textwrap
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

COLUMNS = 3
SMALLEST = 256
"""Pixels of a tile at least: a sheet is looked at 300 pixels wide, on a phone, and its words are to be read there."""
SPACE = "\N{NO-BREAK SPACE}"


def captioned_sheet(given: dict[str, list[Image.Image]], pictures: list[Image.Image], captions: Sequence[Sequence[str]]) -> Image.Image:
    """A row of each of the `given`, under its name, and below them `pictures` in rows, numbered from 1, each over its `captions`.

    Tiles are squares as wide as the widest picture, at least SMALLEST pixels.
    """
    side = max(SMALLEST, *(p.width for p in pictures))
    lines = [wrap(words) for words in captions]
    deepest = max(map(len, lines))
    rows = [[tile(p, side, name if i == 0 else "", [], 0) for i, p in enumerate(own[:COLUMNS])] for name, own in given.items()]
    tiles = [tile(p, side, str(n), said, deepest) for n, (p, said) in enumerate(zip(pictures, lines, strict=True), start=1)]
    rows += [tiles[i : i + COLUMNS] for i in range(0, len(tiles), COLUMNS)]
    return stack(rows, gap=side // 32)


def wrap(words: Sequence[str]) -> list[str]:
    """Words in lines that fit under a tile; a name stays beside its figure."""
    joined = " ".join(word.replace(" ", SPACE) for word in words)
    return [line.replace(SPACE, " ") for line in textwrap.wrap(joined, 19)]


def tile(picture: Image.Image, side: int, label: str, lines: list[str], deepest: int) -> Image.Image:
    """A picture with a label in its corner, over its lines, with room for `deepest` of them."""
    size = side // 9
    font = ImageFont.load_default(size)
    whole = Image.new("RGB", (side, side + deepest * size * 5 // 4), "white")
    resample = Image.Resampling.NEAREST if picture.width < side else Image.Resampling.LANCZOS
    whole.paste(picture.resize((side, side), resample))
    drawing = ImageDraw.Draw(whole)
    if label:
        drawing.rectangle((0, 0, drawing.textlength(label, font) + size // 2, size * 5 // 4), fill="white")
        drawing.text((size // 4, 0), label, fill="black", font=font)
    for i, line in enumerate(lines):
        drawing.text((size // 4, side + i * size * 5 // 4), line, fill="black", font=font)
    return whole


def stack(rows: list[list[Image.Image]], gap: int) -> Image.Image:
    """Rows of pictures on white, each row as high as its first picture."""
    width = max(sum(p.width + gap for p in row) for row in rows) + gap
    whole = Image.new("RGB", (width, sum(row[0].height + gap for row in rows) + gap), "white")
    top = gap
    for row in rows:
        for i, picture in enumerate(row):
            whole.paste(picture, (gap + i * (picture.width + gap), top))
        top += row[0].height + gap
    return whole
