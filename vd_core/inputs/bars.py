"""Plain bars at a picture's sides, as screens and videos leave them."""

import numpy as np
from PIL import Image

BAR_NOISE = 8.0  # grey levels by which a line of a bar may differ from the bar's colour, on average
BAR_SMEAR = 16  # lines over which a JPEG's blocks smear a bar's edge
BAR_STEP = 16  # grey levels by which a picture's pixels differ from the colour of the bar beside them
BAR_SHARE = 0.85  # of those pixels that differ where a bar ends


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
