"""docs/alone.png of `make beyond`: given toys, plain pictures, and pictures whose toys were drawn alone first; the first seeds, nothing chosen."""

from pathlib import Path

from PIL import Image

from vd_core.inputs.pictures import contact_sheet
from vd_core.studies.toys import Toys, draw_toys

PICTURE = Path("docs/alone.png")
SHOWN = ("three-1", "three-2", "four-1")
COUNT, SIDE, TILE, BETWEEN = 4, 64, 96, 16
"""Pictures of each block, the base's pixels, a tile's, and the white between blocks."""
SHEET_TILE, SHEET_GAP = 128, 4
"""Of the arms' contact sheets."""


def first_tiles(sheet: Path) -> list[Image.Image]:
    """The first COUNT pictures of a contact sheet."""
    whole, lefts = Image.open(sheet), [SHEET_GAP + n * (SHEET_TILE + SHEET_GAP) for n in range(COUNT)]
    return [whole.crop((left, SHEET_GAP, left + SHEET_TILE, SHEET_GAP + SHEET_TILE)) for left in lefts]


def save_picture(toys: list[Toys], plain: list[Path], alone: list[Path], path: Path = PICTURE) -> None:
    """A row a crowd, from its toys and the contact sheets of two arms, into `path`."""
    given = [[own[0] for own in draw_toys(own, SIDE)[1]] for own in toys]
    blocks = [contact_sheet(rows, TILE) for rows in (given, [first_tiles(s) for s in plain], [first_tiles(s) for s in alone])]
    picture = Image.new("RGB", (sum(b.width + BETWEEN for b in blocks) - BETWEEN, blocks[0].height), "white")
    left = 0
    for block in blocks:
        picture.paste(block, (left, 0))
        left += block.width + BETWEEN
    picture.quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
