"""Stitch score: is there an artificial seam in a frame? With OpenCV, as in the paper, which says no more about it.

A seam is a sharp step at the same column in nearly all rows, clearer than any other step nearby. The constants were chosen on 104 photographs;
`python -m tasks.commands.stitch_table FOLDER` measured it on 104 others that had not been judged before (crops of them, where not said otherwise):

| what | n | wrong |
|---|---|---|
| photographs as they are; crops | 104; 300 | 2; 3 false |
| two; three mixed | 300; 300 | 5; 3 missed |
| 2 x 2; one above the other | 60; 60 | 0; 17 missed |
| two of one photograph mixed; a picture and its mirror image | 1040; 60 | 250; 59 missed |
| seam at 0.1; 0.15; 0.3; 0.7 of the width | 60 each | 0; 2; 2; 2 missed |
| blended over 8; 16; 32 px | 60 each | 5; 48; 59 missed |
| JPEG 90; 50; 20 | 60 each | 1; 1; 2 missed, 1; 1; 0 false |
| mp4 crf 12; 23; 35; 45 | 60 each | 1; 1; 2; 2 missed, 1; 1; 1; 0 false |
| contrast 0.5; 0.25 | 60 each | 1; 2 missed, 1; 0 false |
| blur sigma 1; 2; 4 | 60 each | 2; 3; 13 missed, 1; 1; 0 false |
| tilt 0; 0.5; 1; 2; 5 degrees | 60 each | 1; 17; 55; 58; 60 missed, 0; 1; 1; 0; 0 false |
| white bars 16 x 0; 64 x 0; 110 x 0; 0 x 64; 60 x 60 | 60 each | 1 missed of each, 1; 3; 2; 2; 3 false |
| black bars of the same widths | 60 each | 1 missed of each, 1; 6; 6; 8; 6 false |
| plain sky over plain sea | 60 | 0 false |
| a post 40 px wide, 60% high; as high as the picture | 60 each | 2; 2 false |
| 15 photographs of three subjects, known before: as they are; crops | 15; 150 | 1; 8 false |
| the same 15: two; three mixed | 150; 150 | 10; 2 missed |
| drawn scenes, 64 px | 1000 | 1 false |
| two; three drawn ones mixed | 300 each | 0; 0 missed |
| the same after mp4 crf 23 | 300 each | 4; 24 missed |
| two drawn ones of one place mixed; stacked | 32; 60 | 32; 60 missed |

It fails: tilts from half a degree on, seams blended over 16 px and more, a picture beside its mirror image, drawn scenes of one place, and
a quarter of those one above the other. Black bars beside a dark picture are not always cropped, and then count as a seam. Rows are looked
at from SMALLEST_LEVEL pixels on only: a drawn horizon is as sharp a step as two drawn scenes one above the other.
"""

import cv2
import numpy as np
from PIL import Image

from vd_core.inputs.bars import crop_bars

SIDE = 512  # pixels that a picture is shrunk to; a smaller one stays as it is
FINE = 256  # pixels of side for one pixel of width on either side of a step
ROWS = 128  # that the rows are averaged to
BANDS = 16  # across a seam
RAMP = 20.0  # grey levels over which one step passes from smaller to larger than another
WEAKEST = 0.2  # of the bands may lack the step
MARGIN = 0.06  # of a side, at either end, where no seam is looked for
NARROWEST = 0.2  # of a side: steps nearer to one another are the sides of a post, or a JPEG's blocks
SMALLEST_LEVEL = 128  # pixels of side from which rows are looked at too: a drawn horizon of 64 pixels is as sharp as a seam
VARIED = 0.05  # a horizon's step is the same all along; one above the other, two pictures' varies by this share at least
LEVEL = 0.36  # by which a step along a row must be clearer than one along a column: floors, quays and horizons lie level
THRESHOLD = 0.32


def steps(rows: np.ndarray, width: int) -> np.ndarray:
    """Means of the `width` pixels behind each inner boundary of `[h, w, 3]`, less those before it: `[h, w - 1, 3]` grey levels."""
    padded = np.pad(rows, ((0, 0), (width, width), (0, 0)), mode="edge")
    sums = np.pad(np.cumsum(padded, axis=1), ((0, 0), (1, 0), (0, 0)))
    means = (sums[:, width:] - sums[:, :-width]) / width
    return means[:, width + 1 : -1] - means[:, 1 : -width - 1]


def isolation(picture: np.ndarray) -> np.ndarray:
    """For each boundary of columns, in each band of rows, how many of the steps beside it are smaller: float `[BANDS, w - 1]`.

    1 is all of them, 0 half, as in a plain area, -1 none. A step counts by the change that lasts, so a line is none. `picture` is
    float32 RGB `[h, w, 3]`.
    """
    side = picture.shape[1]
    unit = max(1, side // FINE)
    rows = cv2.resize(picture, (side, min(ROWS, picture.shape[0])), interpolation=cv2.INTER_AREA)
    step = np.minimum(np.abs(steps(rows, unit)).max(axis=2), np.abs(steps(rows, 4 * unit)).max(axis=2))
    gap, far = 2 * unit - 1, 8 * unit - 1
    padded = np.pad(step, ((0, 0), (far, far)), mode="symmetric")
    beside = [padded[:, far + o : far + o + side - 1] for o in range(-far, far + 1) if abs(o) > gap]
    larger = np.mean([np.clip(2 * (step - b) / RAMP, -1, 1) for b in beside], axis=0)
    return cv2.resize(larger, (side - 1, BANDS), interpolation=cv2.INTER_AREA)


def varies(picture: np.ndarray) -> np.ndarray:
    """For each boundary of columns, whether the step across it differs from band to band: bool `[w - 1]`."""
    side = picture.shape[1]
    step = steps(cv2.resize(picture, (side, BANDS), interpolation=cv2.INTER_AREA), max(1, side // 128))
    spread = np.median(np.abs(step - np.median(step, axis=0)).max(axis=2), axis=0)
    return spread > VARIED * (np.median(np.abs(step).max(axis=2), axis=0) + 6)


def seam_profile(picture: np.ndarray, level: bool = False) -> np.ndarray:
    """For each boundary of columns, how much clearer a step runs along it than along those beside it: float `[w - 1]`, no unit.

    `picture` is float32 RGB `[h, w, 3]`; the margins hold -1. With `level`, `picture` is one on its side: steps that do not vary are horizons.
    """
    profile = np.quantile(isolation(picture), WEAKEST, axis=0).astype(np.float32)
    margin = round(MARGIN * len(profile))
    profile[:margin] = profile[len(profile) - margin :] = -1
    reach, own = round(NARROWEST * len(profile)), max(2, len(profile) // 64)
    others = np.ones((1, 2 * reach + 1), np.uint8)
    others[0, reach - own : reach + own + 1] = 0
    profile = profile - cv2.dilate(profile[None], others)[0]
    return np.where(varies(picture), profile, -1) if level else profile


def seam_strength(picture: np.ndarray) -> float:
    """How clearly a straight step runs all the way through a uint8 RGB picture `[h, w, 3]`: no unit.

    1 is a step between two flat halves, 0 one as clear as others nearby; a seam has more than THRESHOLD. Contrast hardly counts.
    Bars are cropped first.
    """
    whole = np.asarray(crop_bars(Image.fromarray(picture)))
    side = min(SIDE, max(whole.shape[:2]))
    small = cv2.resize(whole, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    upright = seam_profile(small).max()
    if side < SMALLEST_LEVEL:
        return float(upright)
    return float(max(upright, seam_profile(small.transpose(1, 0, 2).copy(), level=True).max() - LEVEL))


def has_seam(picture: np.ndarray) -> bool:
    """Whether two pictures seem to meet in a uint8 RGB picture `[h, w, 3]`, side by side or, from SMALLEST_LEVEL pixels on, stacked."""
    return seam_strength(picture) > THRESHOLD


def stitch_score(frames: list[np.ndarray]) -> float:
    """The share of frames with a seam, 0 to 1; lower is better."""
    return float(np.mean([has_seam(f) for f in frames]))
