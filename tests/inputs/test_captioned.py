"""The sheet to choose from: whose pictures are where, what is written beside them, and at which size."""

import numpy as np
import pytest
from PIL import Image

from tests.helpers.pictures import noise_picture
from vd_core.inputs.captioned import SMALLEST, captioned_sheet, wrap


def build(captions: list[list[str]], side: int = 64) -> Image.Image:
    pictures = [noise_picture(i, (side, side)) for i in range(6)]
    return captioned_sheet({"dog": pictures[:1], "cat": pictures[1:2]}, pictures[2:], captions)


def holds(sheet: Image.Image, picture: Image.Image, left: int, top: int, side: int) -> bool:
    """Whether the lower half of a tile, where no label is, is the picture's."""
    wanted = picture.resize((side, side), Image.Resampling.NEAREST)
    box = (0, side // 2, side, side)
    return np.array_equal(sheet.crop((left, top, left + side, top + side)).crop(box), wanted.crop(box))


@pytest.mark.parametrize("side", [64, 300])
def test_the_given_pictures_stand_above_the_candidates(side: int) -> None:
    """Nobody could say whether a candidate was his dog: its pictures were not beside it."""
    sheet = build([["dog 0.50"]] * 4, side)
    tile = max(side, SMALLEST)  # a large picture keeps its size: the sheet is linked in full size
    gap = tile // 32
    places = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2)]
    assert sheet.width == 3 * tile + 4 * gap
    for i, (column, row) in enumerate(places):
        assert holds(sheet, noise_picture(i, (side, side)), gap + column * (tile + gap), gap + row * (tile + gap), tile)


def test_scores_are_written_under_their_own_candidate() -> None:
    before, after = build([["dog 0.50"]] * 4), build([["dog 0.50"], ["dog 0.60"], ["dog 0.50"], ["dog 0.50"]])
    changed = np.argwhere(np.asarray(before) != np.asarray(after))
    (top, left, _), (bottom, right, _) = changed.min(0), changed.max(0)
    gap = SMALLEST // 32
    assert 2 * gap + SMALLEST <= left <= right < 2 * (gap + SMALLEST)
    assert 3 * (gap + SMALLEST) <= top <= bottom < 3 * (gap + SMALLEST) + SMALLEST // 9 * 5 // 4


def test_a_name_stays_beside_its_figure() -> None:
    assert wrap(["dog 0.62", "car 0.55", "tabby-cat 0.40", "text 0.71"]) == ["dog 0.62 car 0.55", "tabby-cat 0.40", "text 0.71"]
