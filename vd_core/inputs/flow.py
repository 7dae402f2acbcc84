"""Optical flow by DIS (Kroeger et al., arXiv:1603.03590), which OpenCV has without weights (Apache-2.0)."""

import cv2
import numpy as np

FLOW_SIDE = 256
"""Pixels of the side that flow is found at: DIS's patches of 8 pixels see too little of a 64-pixel picture."""

LEAST_RANGE = 16
"""Of 255: a channel that varies by less is not stretched to the whole range, since that would show nothing but noise."""

AROUND = (5, 5)
"""The pixels that decide together which flow is right."""


def dense_flow(first: np.ndarray, second: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """Where each pixel of `first` is in `second`, less where it was: float32 `[h, w, 2]` (x, y) in pixels of the pictures, uint8 RGB `[h, w, 3]`.

    `start` is a flow to look on from, as that to the frame before.
    """
    return channel_flow(*(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (first, second)), start)


def color_flow(first: np.ndarray, second: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """The same by the colors too: what is as bright as the place behind it has no edge in gray, as a white toy before sand.

    Flow is found in gray and in both of CIELAB's color channels, and each pixel takes the one that leads to the colors that it has.
    """
    lab = [cv2.cvtColor(p, cv2.COLOR_RGB2LAB) for p in (first, second)]
    pairs = [stretch(*(p[..., channel] for p in lab)) for channel in (1, 2)]
    flows = np.stack([dense_flow(first, second, start), *(channel_flow(*pair, start) for pair in pairs)])
    missed = [cv2.blur(cv2.absdiff(first, follow_flow(second, flow)).sum(2, dtype=np.float32), AROUND) for flow in flows]
    return np.take_along_axis(flows, np.argmin(missed, 0)[None, ..., None], 0)[0]


def follow_flow(picture: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """What each pixel sees in the `picture` that its flow `[h, w, 2]` leads to."""
    height, width = flow.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), 2).astype(np.float32)
    return cv2.remap(picture, grid + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def stretch(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two uint8 channels with the first one's range brought to 0..255: DIS is made for the contrast of gray."""
    low, high = int(first.min()), int(first.max())
    scale = 255 / max(high - low, LEAST_RANGE)
    a, b = (((c.astype(np.float32) - low) * scale).clip(0, 255).astype(np.uint8) for c in (first, second))
    return a, b


def channel_flow(first: np.ndarray, second: np.ndarray, start: np.ndarray | None) -> np.ndarray:
    """The flow between two uint8 channels `[h, w]`."""
    height, width = first.shape
    scale = np.float32([width / FLOW_SIDE, height / FLOW_SIDE])
    size, how = (FLOW_SIDE, FLOW_SIDE), cv2.INTER_CUBIC if width < FLOW_SIDE else cv2.INTER_AREA
    resized = [cv2.resize(channel, size, interpolation=how) for channel in (first, second)]
    begin = np.zeros((*size, 2), np.float32) if start is None else cv2.resize(start, size) / scale
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(resized[0], resized[1], begin)
    return cv2.resize(flow, (width, height)) * scale
