"""The square of a picture that training sees, around the subject or in the middle."""

from PIL import Image, ImageOps

MARGIN = 0.2
"""Of the box's longer side, left free on each side of it."""

MOST_ENLARGED = 1.5
"""A square is enlarged by no more than this: around a small subject more of its surroundings stays."""


def square_around(size: tuple[int, int], box: tuple[float, float, float, float], resolution: int) -> tuple[int, int, int, int]:
    """The square of a picture of `size` (width, height) around `box` (left, top, right, bottom), all in pixels; it lies inside the picture.

    Where the box is longer than the picture's shorter side, the square is as large as the picture allows and the box's ends are cut.
    """
    left, top, right, bottom = box
    wanted = max(right - left, bottom - top) * (1 + 2 * MARGIN)
    side = round(min(max(wanted, resolution / MOST_ENLARGED), *size))
    x = min(max(round((left + right - side) / 2), 0), size[0] - side)
    y = min(max(round((top + bottom - side) / 2), 0), size[1] - side)
    return x, y, x + side, y + side


def crop_to_square(picture: Image.Image, box: tuple[float, float, float, float] | None, resolution: int) -> Image.Image:
    """The square around `box`, or without one the middle square, at `resolution` x `resolution`."""
    around = picture.crop(square_around(picture.size, box, resolution)) if box else picture
    return ImageOps.fit(around, (resolution, resolution), Image.Resampling.LANCZOS)
