"""Motion amplitude: how much moves at all."""

from itertools import pairwise

import numpy as np

from vd_core.inputs.flow import dense_flow

UNIT = 512


def motion_amplitude(frames: list[np.ndarray]) -> float:
    """The mean length of the optical flow from each frame to the next, over all pixels of uint8 RGB frames `[h, w, 3]`.

    In pixels of a 512-pixel picture, as Text2Video-Zero's motion field is, so that resolutions compare. A still background counts as 0, so a
    small toy that crosses the picture has a small amplitude. OpenCV's DIS flow, no weights. 0 for one frame.
    """
    scale = UNIT / frames[0].shape[1]
    lengths = [np.linalg.norm(dense_flow(a, b), axis=2).mean() for a, b in pairwise(frames)]
    return float(np.mean(lengths) * scale) if lengths else 0.0
