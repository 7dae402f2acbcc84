"""Optical flow by DIS (Kroeger et al., arXiv:1603.03590), which OpenCV has without weights (Apache-2.0)."""

import cv2
import numpy as np

FLOW_SIDE = 256
"""Pixels of the side that flow is found at: DIS's patches of 8 pixels see too little of a 64-pixel picture."""


def dense_flow(first: np.ndarray, second: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """Where each pixel of `first` is in `second`, less where it was: float32 `[h, w, 2]` (x, y) in pixels of the pictures, uint8 RGB `[h, w, 3]`.

    `start` is a flow to look on from, as that to the frame before.
    """
    height, width = first.shape[:2]
    scale = np.float32([width / FLOW_SIDE, height / FLOW_SIDE])
    size, how = (FLOW_SIDE, FLOW_SIDE), cv2.INTER_CUBIC if width < FLOW_SIDE else cv2.INTER_AREA
    gray = [cv2.resize(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), size, interpolation=how) for p in (first, second)]
    begin = np.zeros((*size, 2), np.float32) if start is None else cv2.resize(start, size) / scale
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(gray[0], gray[1], begin)
    return cv2.resize(flow, (width, height)) * scale
