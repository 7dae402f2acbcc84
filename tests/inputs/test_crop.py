"""The square around a subject: it holds the subject and its margin, lies in the picture, and is not enlarged too much."""

import pytest
from PIL import Image, ImageDraw

from vd_core.inputs.crop import MOST_ENLARGED, crop_to_square, square_around


@pytest.mark.parametrize("box", [(1200, 200, 1500, 700), (0, 0, 400, 300), (1400, 700, 1600, 1000), (500, 100, 900, 900)])
def test_the_square_holds_the_box_and_lies_in_the_picture(box: tuple[int, int, int, int]) -> None:
    x1, y1, x2, y2 = square_around((1600, 1000), box, 512)
    assert x2 - x1 == y2 - y1
    assert 0 <= x1 <= box[0] and 0 <= y1 <= box[1] and box[2] <= x2 <= 1600 and box[3] <= y2 <= 1000


def test_the_margin_is_a_fifth_of_the_box_on_each_side() -> None:
    assert square_around((2000, 2000), (800, 800, 1300, 1200), 512) == (700, 650, 1400, 1350)


def test_a_small_subject_is_not_enlarged_too_much() -> None:
    x1, _, x2, _ = square_around((2000, 2000), (1000, 1000, 1020, 1020), 512)
    assert x2 - x1 == round(512 / MOST_ENLARGED)


def test_a_subject_wider_than_the_pictures_height_is_cut_about_its_middle() -> None:
    assert square_around((1600, 400), (200, 100, 1000, 300), 512) == (400, 0, 800, 400)


def test_a_subject_at_the_side_is_in_its_square() -> None:
    """The middle square of a wide photograph lost a subject at its side."""
    picture = Image.new("RGB", (400, 100), "white")
    ImageDraw.Draw(picture).rectangle((320, 30, 379, 89), fill="red")
    around, middle = (crop_to_square(picture, box, 64) for box in ((320, 30, 380, 90), None))
    assert around.size == middle.size == (64, 64)
    assert around.getpixel((32, 32)) == (255, 0, 0) and middle.getcolors() == [(64 * 64, (255, 255, 255))]
