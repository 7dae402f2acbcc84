"""Which motion each toy of a clip shows, from its boxes and turns, frame by frame. It reads the drawn world alone."""

from collections.abc import Sequence

import numpy as np
import torch

from vd_core.metrics.fidelity import assign, crop_boxes, detect
from vd_core.metrics.judges import Judges
from vd_core.toybox.reading.reader import ATTRIBUTES, IDENTITY_SIZE, AttributeReader

SPIN_DEGREES = 200.0
GROWTH = 1.35
SLIDE = 0.3  # of the toy's height
LIFT = 0.15
SHAKES, SHAKE_WIDTH = 4, 0.05
SURE = 0.5


@torch.no_grad()
def track_toy(judges: Judges, reader: AttributeReader, frames: torch.Tensor) -> np.ndarray:
    """Center x, bottom y, height (pixels) and turn (radians) of the toy with the highest score in frames `[f, 3, h, w]` in 0..1: float `[found, 4]`."""
    found = zip(frames, detect(judges, frames), strict=True)
    return np.array([place_toys(reader, frame, f["boxes"][:1])[0] for frame, f in found if len(f["boxes"])])


@torch.no_grad()
def track_kinds(judges: Judges, reader: AttributeReader, frames: torch.Tensor, kinds: Sequence[str]) -> dict[str, np.ndarray]:
    """`track_toy` of a toy of each of `kinds`, all different.

    Frame by frame the detections are given to the kinds one to one, so that the reader is surest of them together: a toy that is upside down in
    one frame is still the one that is left. Of two that look alike it is the one nearer to where the toy was. A kind that the reader is not SURE
    of on the whole has no track: another toy does not stand for it.
    """
    columns = [ATTRIBUTES["kind"].index(kind) for kind in kinds]
    tracks: dict[str, list[np.ndarray]] = {kind: [] for kind in kinds}
    sureness: dict[str, list[float]] = {kind: [] for kind in kinds}
    for frame, found in zip(frames, detect(judges, frames), strict=True):
        if not len(found["boxes"]):
            continue
        crops = crop_boxes(frame, found["boxes"], IDENTITY_SIZE)
        sure = reader.read_toys(crops)["kind"].softmax(1)[:, columns].numpy()
        places = place_toys(reader, frame, found["boxes"])
        last = np.array([tracks[kind][-1][0] if tracks[kind] else np.nan for kind in kinds])
        away = np.nan_to_num(np.abs(places[:, :1] - last) / frame.shape[2])
        for d, k in zip(*assign(sure - away), strict=True):
            tracks[kinds[k]].append(places[d])
            sureness[kinds[k]].append(float(sure[d, k]))
    return {kind: np.array(track) if track and np.mean(sureness[kind]) > SURE else np.zeros((0, 4)) for kind, track in tracks.items()}


def place_toys(reader: AttributeReader, frame: torch.Tensor, boxes: torch.Tensor) -> np.ndarray:
    """Center x, bottom y, height (pixels) and turn (radians) of the toys in the boxes `[n, 4]` of a frame `[3, h, w]`: float `[n, 4]`."""
    cos, sin = reader.read_angles(crop_boxes(frame, boxes, IDENTITY_SIZE)).numpy().T
    x1, y1, x2, y2 = boxes.numpy().T
    return np.stack([(x1 + x2) / 2, y2, y2 - y1, np.arctan2(sin, cos)], axis=1)


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
