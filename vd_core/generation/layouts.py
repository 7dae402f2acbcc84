"""Where subjects stand if nobody says it: boxes in fractions of the picture."""

from vd_core.inputs.scenes import Box

MOST_IN_A_ROW = 3
"""Unless a base's preset says otherwise (`regions.most_in_a_row`)."""
ABOVE = 0.2
"""How much of a row's height is left above those who stand in it."""


def place_automatically(count: int, layout: int = 0, most_in_a_row: int = MOST_IN_A_ROW) -> list[Box]:
    """A box for each of `count` subjects, all of one size in a row: up to `most_in_a_row` stand in columns, more in two rows.

    Other numbers of `layout` are other layouts: from right to left, and the shorter row below instead of above. They repeat.
    """
    if count <= most_in_a_row:
        boxes = divide_row(count, 0.0, 1.0)
    else:
        above = count // 2 if layout // 2 % 2 == 0 else count - count // 2
        boxes = divide_row(above, 0.0, 0.5) + divide_row(count - above, 0.5, 1.0)
    return boxes[::-1] if layout % 2 else boxes


def divide_row(count: int, top: float, bottom: float) -> list[Box]:
    """Equal columns between two heights, from left to right."""
    above = top + ABOVE * (bottom - top)
    return [(i / count, above, (i + 1) / count, bottom) for i in range(count)]


def count_layouts(count: int, most_in_a_row: int = MOST_IN_A_ROW) -> int:
    """How many layouts differ."""
    return 1 if count == 1 else 2 if count <= most_in_a_row or count % 2 == 0 else 4
