"""Which motion a clip shows, from the highest-scoring toy's boxes and turns, frame by frame. It reads the drawn world alone."""

import numpy as np
import torch

from vd_core.metrics.fidelity import crop_boxes, detect
from vd_core.metrics.judges import Judges
from vd_core.toybox.reading.reader import IDENTITY_SIZE, AttributeReader

SPIN_DEGREES = 200.0
GROWTH = 1.35
SLIDE = 0.3  # of the toy's height
LIFT = 0.15
SHAKES, SHAKE_WIDTH = 4, 0.05


@torch.no_grad()
def track_toy(judges: Judges, reader: AttributeReader, frames: torch.Tensor) -> np.ndarray:
    """Center x, bottom y, height (pixels) and turn (radians) of the toy with the highest score in frames `[f, 3, h, w]` in 0..1: float `[found, 4]`."""
    track = []
    for frame, found in zip(frames, detect(judges, frames), strict=True):
        if len(found["boxes"]):
            box = found["boxes"][:1]
            cos, sin = reader.read_angles(crop_boxes(frame, box, IDENTITY_SIZE))[0].tolist()
            x1, y1, x2, y2 = box[0].tolist()
            track.append([(x1 + x2) / 2, y2, y2 - y1, np.arctan2(sin, cos)])
    return np.array(track)


def name_motion(track: np.ndarray) -> str:
    """The motion of a track `[f, 4]`: a key of MOTIONS."""
    if len(track) < 8:
        return "still"
    x, bottom, height, turn = track.T
    size = np.median(height)
    if abs(np.rad2deg(np.unwrap(turn)[-1] - turn[0])) > SPIN_DEGREES:
        return "spin"
    if np.median(height[-4:]) / np.median(height[:4]) > GROWTH:
        return "grow"
    shift = (np.median(x[-3:]) - np.median(x[:3])) / size
    if abs(shift) > SLIDE:
        return "right" if shift > 0 else "left"
    steps = np.diff(x)
    turns = np.sum(np.diff(np.sign(steps[np.abs(steps) > 0.01 * size])) != 0)
    if turns >= SHAKES and np.ptp(x) > SHAKE_WIDTH * size:
        return "shake"
    if np.ptp(bottom) > LIFT * size:
        return "jump"
    return "still"


def track_motion(judges: Judges, reader: AttributeReader, frames: torch.Tensor) -> str:
    """`name_motion` of `track_toy`."""
    return name_motion(track_toy(judges, reader, frames))
