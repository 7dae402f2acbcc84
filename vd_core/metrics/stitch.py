"""Stitch score: is there an artificial seam in a frame? With OpenCV, as in the paper, which says no more about it."""

import cv2
import numpy as np

EDGE = 24.0  # gray levels that a seam's two sides must differ by in a row
SHARE = 0.8  # of the rows that must show it
MARGIN = 0.12  # of the width at either side where no seam is looked for


def seam_profile(picture: np.ndarray) -> np.ndarray:
    """For each column, the share of rows in which a sharp step stands between it and its right neighbor.

    `picture` is uint8 RGB `[h, w, 3]`; float `[w - 1]` comes back.
    """
    side = min(128, max(picture.shape[:2]))
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    step = np.abs(np.diff(small, axis=1)).max(axis=2)
    wide = np.maximum(step, np.abs(small[:, 2:] - small[:, :-2]).max(axis=2)[:, np.r_[0 : side - 2, side - 3]])
    return (wide > EDGE).mean(axis=0)


def has_seam(picture: np.ndarray) -> bool:
    """Whether a vertical edge runs from top to bottom of a uint8 RGB picture `[h, w, 3]`."""
    profile = seam_profile(picture)
    margin = round(MARGIN * len(profile))
    return bool(profile[margin:-margin].max() >= SHARE)


def stitch_score(frames: list[np.ndarray]) -> float:
    """The share of frames with a seam, 0 to 1; lower is better."""
    return float(np.mean([has_seam(f) for f in frames]))
