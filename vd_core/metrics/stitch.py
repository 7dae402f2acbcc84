"""Stitch score: is there an artificial seam in a frame? With OpenCV, as in the paper, which says no more about it.

A seam is an isolated step that runs all the way through the picture. The constants were chosen on drawn scenes and thirteen photographs;
`python -m tasks.stitch_table FOLDER` measures it on others. On 23 photographs of eleven subjects (crops of them, where not said otherwise):

| what | n | wrong | share |
|---|---|---|---|
| photographs as they are | 23 | 4 false | 17.4% |
| photographs, crops | 300 | 40 false | 13.3% |
| two mixed | 300 | 5 missed | 1.7% |
| three mixed | 300 | 3 missed | 1.0% |
| two of one subject mixed | 110 | 27 missed | 24.5% |
| a picture and its mirror image | 60 | 49 missed | 81.7% |
| one above the other | 60 | 1 missed | 1.7% |
| 2 x 2 | 60 | 0 missed | 0.0% |
| blended over 8 px | 60 | 7 missed | 11.7% |
| blended over 16 px | 60 | 18 missed | 30.0% |
| blended over 32 px | 60 | 41 missed | 68.3% |
| seam at 0.1 | 60 | 14 missed | 23.3% |
| seam at 0.15 | 60 | 6 missed | 10.0% |
| seam at 0.3 | 60 | 7 missed | 11.7% |
| seam at 0.7 | 60 | 12 missed | 20.0% |
| two mixed, JPEG 90 | 60 | 1 missed | 1.7% |
| crops, JPEG 90 | 60 | 6 false | 10.0% |
| two mixed, JPEG 50 | 60 | 1 missed | 1.7% |
| crops, JPEG 50 | 60 | 9 false | 15.0% |
| two mixed, JPEG 20 | 60 | 0 missed | 0.0% |
| crops, JPEG 20 | 60 | 14 false | 23.3% |
| two mixed, mp4 crf 12 | 60 | 1 missed | 1.7% |
| crops, mp4 crf 12 | 60 | 8 false | 13.3% |
| two mixed, mp4 crf 23 | 60 | 1 missed | 1.7% |
| crops, mp4 crf 23 | 60 | 7 false | 11.7% |
| two mixed, mp4 crf 35 | 60 | 2 missed | 3.3% |
| crops, mp4 crf 35 | 60 | 13 false | 21.7% |
| two mixed, mp4 crf 45 | 60 | 0 missed | 0.0% |
| crops, mp4 crf 45 | 60 | 36 false | 60.0% |
| two mixed, contrast 0.5 | 60 | 1 missed | 1.7% |
| crops, contrast 0.5 | 60 | 7 false | 11.7% |
| two mixed, contrast 0.25 | 60 | 0 missed | 0.0% |
| crops, contrast 0.25 | 60 | 6 false | 10.0% |
| two mixed, blur sigma 1 | 60 | 2 missed | 3.3% |
| crops, blur sigma 1 | 60 | 7 false | 11.7% |
| two mixed, blur sigma 2 | 60 | 2 missed | 3.3% |
| crops, blur sigma 2 | 60 | 6 false | 10.0% |
| two mixed, blur sigma 4 | 60 | 6 missed | 10.0% |
| crops, blur sigma 4 | 60 | 8 false | 13.3% |
| two mixed, tilt 0 degrees | 60 | 0 missed | 0.0% |
| crops, tilt 0 degrees | 60 | 3 false | 5.0% |
| two mixed, tilt 0.5 degrees | 60 | 2 missed | 3.3% |
| crops, tilt 0.5 degrees | 60 | 4 false | 6.7% |
| two mixed, tilt 1 degrees | 60 | 20 missed | 33.3% |
| crops, tilt 1 degrees | 60 | 4 false | 6.7% |
| two mixed, tilt 2 degrees | 60 | 57 missed | 95.0% |
| crops, tilt 2 degrees | 60 | 2 false | 3.3% |
| two mixed, tilt 5 degrees | 60 | 58 missed | 96.7% |
| crops, tilt 5 degrees | 60 | 1 false | 1.7% |
| two mixed, white bars 16 x 0 | 60 | 1 missed | 1.7% |
| crops, white bars 16 x 0 | 60 | 10 false | 16.7% |
| two mixed, white bars 64 x 0 | 60 | 2 missed | 3.3% |
| crops, white bars 64 x 0 | 60 | 9 false | 15.0% |
| two mixed, white bars 110 x 0 | 60 | 1 missed | 1.7% |
| crops, white bars 110 x 0 | 60 | 11 false | 18.3% |
| two mixed, white bars 0 x 64 | 60 | 2 missed | 3.3% |
| crops, white bars 0 x 64 | 60 | 10 false | 16.7% |
| two mixed, white bars 60 x 60 | 60 | 1 missed | 1.7% |
| crops, white bars 60 x 60 | 60 | 10 false | 16.7% |
| two mixed, black bars 16 x 0 | 60 | 1 missed | 1.7% |
| crops, black bars 16 x 0 | 60 | 10 false | 16.7% |
| two mixed, black bars 64 x 0 | 60 | 2 missed | 3.3% |
| crops, black bars 64 x 0 | 60 | 13 false | 21.7% |
| two mixed, black bars 110 x 0 | 60 | 1 missed | 1.7% |
| crops, black bars 110 x 0 | 60 | 16 false | 26.7% |
| two mixed, black bars 0 x 64 | 60 | 2 missed | 3.3% |
| crops, black bars 0 x 64 | 60 | 13 false | 21.7% |
| two mixed, black bars 60 x 60 | 60 | 1 missed | 1.7% |
| crops, black bars 60 x 60 | 60 | 14 false | 23.3% |
| plain sky over plain sea | 60 | 13 false | 21.7% |
| a post 40 px wide, 60% high | 60 | 60 false | 100.0% |
| a post 40 px wide, as high as the picture | 60 | 60 false | 100.0% |
| drawn scenes, 64 px | 1000 | 14 false | 1.4% |
| 2 drawn ones mixed | 300 | 0 missed | 0.0% |
| 2 drawn ones mixed, mp4 crf 23 | 300 | 0 missed | 0.0% |
| 3 drawn ones mixed | 300 | 0 missed | 0.0% |
| 3 drawn ones mixed, mp4 crf 23 | 300 | 4 missed | 1.3% |
| 2 drawn ones of one place mixed | 32 | 32 missed | 100.0% |
| 2 drawn ones stacked | 60 | 60 missed | 100.0% |

The rows that name bars, and the first two, are of BAR_SHARE 0.85 (one photograph's black bar beside a dark sofa stays, and counts as false);
the others were measured at 0.80, before frames all round were cropped: make the table again before quoting it.
Too many whole photographs are called stitched: towers, door posts, a dog's side and a quay's edge are isolated steps too, if they run
over more than about a quarter of the way on a smooth ground; a plain horizon is one in a fifth of the cases. A tilt fails from 1 degree on.
Missed: seams blended over 16 px and more, a picture beside its mirror image, and drawn scenes of one place, where there is hardly a step.
Not separable: a drawn horizon from two drawn scenes one above the other; so rows are looked at from SIDE pixels on.
"""

import cv2
import numpy as np
from PIL import Image

from vd_core.images import crop_bars

SIDE = 128  # pixels that a picture is shrunk to; a smaller one stays as it is
BANDS = 20  # across a seam; each averages the rows in it, so that a tail or fur does not count
REACH = 7  # pixels to either side in which a seam must be the only step
NOISE = 6.0  # grey levels that count as no step
MARGIN = 0.06  # of a side, at either end, where no seam is looked for
VARIED = 0.06  # a horizon's step is the same all along; between two pictures it varies by this share at least
WEAKEST = 0.75  # of the bands are averaged, the weakest: an edge over part of the way is no seam
THRESHOLD = 0.05


def windows(rows: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The `width` values before and after each inner boundary of `[bands, w, ...]`: twice `[bands, w - 1, ..., width]`."""
    padded = np.pad(rows, ((0, 0), (width - 1, width - 1), *((0, 0),) * (rows.ndim - 2)), mode="edge")
    views = np.lib.stride_tricks.sliding_window_view(padded, width, axis=1)
    return views[:, : rows.shape[1] - 1], views[:, width:]


def isolation(bands: np.ndarray) -> np.ndarray:
    """How alone the step at each boundary of each band is: 1 among flat sides, 0 as large as its neighbours, below 0 smaller.

    `(step - beside) / (step + beside + NOISE)`. `step` is between two pixels, or between the medians of REACH pixels at either side if that
    is smaller, since a line is no seam; `beside` is the mean of the REACH steps to the left or to the right, whichever is larger.
    `[bands, w, 3]` grey levels in, `[bands, w - 1]` out.
    """
    steps = np.abs(np.diff(bands, axis=1)).max(axis=2)
    left, right = windows(bands, REACH)
    lasting = np.abs(np.median(right, axis=-1) - np.median(left, axis=-1)).max(axis=2)
    step = np.minimum(steps, lasting)
    before, after = windows(np.pad(steps, ((0, 0), (1, 1)), mode="edge"), REACH)
    beside = np.maximum(before[:, :-1].mean(axis=-1), after[:, 1:].mean(axis=-1))
    return (step - beside) / (step + beside + NOISE)


def varies(bands: np.ndarray) -> np.ndarray:
    """For each boundary, whether the step across it differs from band to band: bool `[w - 1]`."""
    left, right = windows(bands, 2)
    steps = right.mean(axis=-1) - left.mean(axis=-1)
    spread = np.median(np.abs(steps - np.median(steps, axis=0)).max(axis=2), axis=0)
    return spread > VARIED * (np.median(np.abs(steps).max(axis=2), axis=0) + NOISE)


def seam_profile(picture: np.ndarray, level: bool = False) -> np.ndarray:
    """For each boundary of two columns, the mean isolation of the weakest steps along it: float `[w - 1]`, -1 to 1.

    `picture` is float32 RGB `[h, w, 3]`; the margins hold -1. With `level`, `picture` is one on its side: steps that do not vary are horizons.
    """
    bands = cv2.resize(picture, (picture.shape[1], BANDS), interpolation=cv2.INTER_AREA)
    profile = np.sort(isolation(bands), axis=0)[: round(WEAKEST * BANDS)].mean(axis=0)
    if level:
        profile[~varies(bands)] = -1
    margin = round(MARGIN * len(profile))
    profile[:margin] = profile[-margin:] = -1
    return profile


def seam_strength(picture: np.ndarray) -> float:
    """How alone the most lonely straight step is that runs through a uint8 RGB picture `[h, w, 3]`: -1 to 1, no unit.

    1 is a step between two flat halves, 0 one as large as those beside it; a seam has more than THRESHOLD. Contrast hardly counts.
    Bars are cropped first.
    """
    whole = np.asarray(crop_bars(Image.fromarray(picture)))
    side = min(SIDE, max(whole.shape[:2]))
    small = cv2.resize(whole, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    upright = seam_profile(small).max()
    if side < SIDE:
        return float(upright)
    return float(max(upright, seam_profile(small.transpose(1, 0, 2).copy(), level=True).max()))


def has_seam(picture: np.ndarray) -> bool:
    """Whether two pictures seem to meet in a uint8 RGB picture `[h, w, 3]`, side by side or, from SIDE pixels on, one above the other."""
    return seam_strength(picture) > THRESHOLD


def stitch_score(frames: list[np.ndarray]) -> float:
    """The share of frames with a seam, 0 to 1; lower is better."""
    return float(np.mean([has_seam(f) for f in frames]))
