"""Motion smoothness: how well each odd frame follows from the even frames beside it."""

import cv2
import numpy as np

from vd_core.inputs.flow import dense_flow

FEWEST = 3


def motion_smoothness(frames: list[np.ndarray]) -> float | None:
    """VBench's motion_smoothness (arXiv:2311.17982) with another interpolation: (255 - error) / 255, 0 to 1, higher is smoother.

    Every second frame of uint8 RGB frames `[h, w, 3]` is left out and interpolated from its two neighbors; the error is the mean absolute
    difference in gray levels, over the frames left out. VBench interpolates by AMT-S, whose weights are CC BY-NC; here it is OpenCV's DIS flow,
    which has no weights, so figures are not VBench's. A still clip has 1: read it beside `motion_amplitude`. A motion that comes back within
    four frames counts as rough, here as in VBench. None for fewer than three frames.
    """
    if len(frames) < FEWEST:
        return None
    odd = range(1, len(frames) - 1, 2)
    errors = [np.abs(frames[i] - middle_frame(frames[i - 1], frames[i + 1])).mean() for i in odd]
    return float(1 - np.mean(errors) / 255)


def middle_frame(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The frame half way between two of uint8 RGB `[h, w, 3]`: both warped by half of the flow between them, then averaged; float32 `[h, w, 3]`."""
    forth, back = warp(first, dense_flow(last, first) / 2), warp(last, dense_flow(first, last) / 2)
    return (forth + back) / 2


def warp(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """What each pixel finds in `picture` at its own place plus `flow` `[h, w, 2]`: float32 `[h, w, 3]`."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    return cv2.remap(picture.astype(np.float32), x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
