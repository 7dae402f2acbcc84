"""The eight backgrounds. None holds a vertical edge from top to bottom, so a stitched picture can be told from a drawn one."""

from collections.abc import Callable

import cv2
import numpy as np


def fade(side: int, top: tuple, bottom: tuple, start: float = 0.0, end: float = 1.0) -> np.ndarray:
    """A vertical gradient, uint8 `[side, side, 3]`, from `top` at height `start` to `bottom` at `end`."""
    ramp = np.clip((np.linspace(0, 1, side) - start) / (end - start), 0, 1)[:, None]
    column = np.array(top) * (1 - ramp) + np.array(bottom) * ramp
    return np.repeat(column[:, None].astype(np.uint8), side, axis=1)


def _points(side: int, *xy: float) -> np.ndarray:
    return (np.array(xy).reshape(-1, 2) * side).astype(np.int32)


def beach(rng: np.random.Generator, side: int) -> np.ndarray:
    """Sky, a strip of sea, sand with shells, a sun."""
    picture = fade(side, (140, 205, 250), (215, 238, 252), 0, 0.4)
    sea, sand = rng.uniform(0.36, 0.44), rng.uniform(0.56, 0.64)
    picture[int(sea * side) :] = (50, 140, 205)
    for y in np.linspace(sea + 0.04, sand - 0.03, 3):
        x = rng.uniform(0, 0.7)
        cv2.line(picture, (int(x * side), int(y * side)), (int((x + 0.25) * side), int(y * side)), (170, 220, 245), 2)
    curve = np.linspace(0, 1, 9)
    shore = np.stack([curve, sand + 0.02 * np.sin(curve * 9 + rng.uniform(0, 6))], 1).ravel()
    cv2.fillPoly(picture, [_points(side, *shore, 1, 1, 0, 1)], (240, 215, 150))
    for _ in range(7):
        at = (int(rng.uniform(0, side)), int(rng.uniform(sand + 0.08, 1) * side))
        cv2.circle(picture, at, 2, (205, 170, 105), -1)
    cv2.circle(picture, (int(rng.uniform(0.1, 0.9) * side), int(0.13 * side)), int(0.08 * side), (255, 235, 120), -1)
    return picture


def snow(rng: np.random.Generator, side: int) -> np.ndarray:
    """Gray-blue sky with flakes, white hills, small firs."""
    picture = fade(side, (150, 172, 205), (200, 214, 232), 0, 0.6)
    horizon = rng.uniform(0.48, 0.58)
    for x, shade in ((rng.uniform(0.1, 0.4), (222, 230, 242)), (rng.uniform(0.6, 0.9), (210, 222, 238))):
        cv2.ellipse(picture, (int(x * side), int((horizon + 0.1) * side)), (side // 2, int(0.2 * side)), 0, 0, 360, shade, -1)
    picture[int((horizon + 0.06) * side) :] = (236, 241, 250)
    for x in rng.uniform(0.05, 0.95, 3):
        top = horizon - rng.uniform(0.1, 0.16)
        cv2.fillPoly(picture, [_points(side, x - 0.07, horizon + 0.08, x + 0.07, horizon + 0.08, x, top)], (60, 110, 100))
    for x, y in rng.uniform(0, 1, (18, 2)):
        cv2.circle(picture, (int(x * side), int(y * 0.6 * side)), 1, (255, 255, 255), -1)
    return picture


def forest(rng: np.random.Generator, side: int) -> np.ndarray:
    """Dark leaves above, round trees on short trunks, a green floor."""
    picture = fade(side, (95, 150, 110), (150, 190, 140), 0, 0.6)
    floor = rng.uniform(0.58, 0.66)
    picture[int(floor * side) :] = (62, 104, 52)
    for x in np.linspace(0.08, 0.92, 5) + rng.uniform(-0.05, 0.05, 5):
        base, top = floor + rng.uniform(0, 0.06), rng.uniform(0.22, 0.34)
        cv2.rectangle(picture, (int((x - 0.02) * side), int(top * side)), (int((x + 0.02) * side), int(base * side)), (92, 62, 40), -1)
        shade = (34 + int(rng.integers(20)), 92 + int(rng.integers(30)), 44)
        cv2.circle(picture, (int(x * side), int(top * side)), int(rng.uniform(0.1, 0.14) * side), shade, -1)
    for x, y in rng.uniform(0, 1, (10, 2)):
        at = _points(side, x, floor + 0.06 + y * 0.3)[0]
        cv2.line(picture, (int(at[0]), int(at[1])), (int(at[0]) + 2, int(at[1]) - 5), (110, 160, 70), 1)
    return picture


def city(rng: np.random.Generator, side: int) -> np.ndarray:
    """A row of lit houses on a street, under an evening sky."""
    picture = fade(side, (250, 196, 150), (255, 232, 200), 0, 0.6)
    street, x = rng.uniform(0.62, 0.7), 0.0
    while x < 1:
        width, top = rng.uniform(0.12, 0.2), rng.uniform(0.2, 0.46)
        tone = int(rng.integers(85, 130))
        cv2.rectangle(picture, (int(x * side), int(top * side)), (int((x + width) * side), int(street * side)), (tone, tone, tone + 24), -1)
        for wx in np.arange(x + 0.03, x + width - 0.03, 0.05):
            for wy in np.arange(top + 0.05, street - 0.06, 0.09):
                if rng.random() < 0.75:
                    at = (int(wx * side), int(wy * side))
                    cv2.rectangle(picture, at, (at[0] + 2, at[1] + 4), (255, 236, 150), -1)
        x += width
    picture[int(street * side) :] = (96, 98, 106)
    for x in np.arange(rng.uniform(-0.2, 0), 1, 0.28):
        cv2.rectangle(
            picture, tuple(_points(side, x, 0.86)[0].tolist()), tuple(_points(side, x + 0.14, 0.88)[0].tolist()), (235, 235, 225), -1
        )
    return picture


def space(rng: np.random.Generator, side: int) -> np.ndarray:
    """Stars, a ringed planet, a gray moon to stand on."""
    picture = fade(side, (14, 12, 40), (40, 22, 78))
    for x, y in rng.uniform(0, 1, (26, 2)):
        cv2.circle(picture, (int(x * side), int(y * 0.75 * side)), int(rng.integers(1, 3)), (250, 248, 225), -1)
    x, y = int(rng.uniform(0.15, 0.85) * side), int(rng.uniform(0.12, 0.28) * side)
    cv2.circle(picture, (x, y), int(0.09 * side), (205, 120, 90), -1)
    cv2.ellipse(picture, (x, y), (int(0.15 * side), int(0.03 * side)), -18, 0, 360, (235, 205, 160), 2)
    cv2.ellipse(picture, (side // 2, int(1.14 * side)), (int(0.9 * side), int(0.46 * side)), 0, 0, 360, (128, 128, 140), -1)
    for x in rng.uniform(0.1, 0.9, 5):
        cv2.ellipse(picture, (int(x * side), int(rng.uniform(0.84, 0.97) * side)), (6, 3), 0, 0, 360, (98, 98, 112), -1)
    return picture


def desert(rng: np.random.Generator, side: int) -> np.ndarray:
    """Orange dunes, cacti, a hot white sky."""
    picture = fade(side, (252, 226, 160), (255, 244, 214), 0, 0.55)
    horizon = rng.uniform(0.5, 0.58)
    for x, shade in ((rng.uniform(0, 0.4), (226, 160, 92)), (rng.uniform(0.6, 1), (214, 146, 80))):
        cv2.ellipse(picture, (int(x * side), int((horizon + 0.14) * side)), (int(0.6 * side), int(0.24 * side)), 0, 0, 360, shade, -1)
    picture[int((horizon + 0.1) * side) :] = (232, 170, 100)
    for x in (rng.uniform(0.05, 0.35), rng.uniform(0.65, 0.95)):
        base, top, green = horizon + 0.13, horizon - rng.uniform(0.1, 0.2), (70, 130, 70)
        cv2.line(picture, tuple(_points(side, x, base)[0].tolist()), tuple(_points(side, x, top)[0].tolist()), green, 5)
        arm = _points(side, x, top + 0.12, x + 0.06, top + 0.12, x + 0.06, top + 0.03)
        cv2.polylines(picture, [arm], False, green, 4)
    for y in rng.uniform(horizon + 0.2, 0.97, 4):
        x = rng.uniform(0, 0.7)
        cv2.ellipse(picture, (int(x * side), int(y * side)), (int(0.2 * side), 4), 0, 180, 360, (204, 138, 70), 2)
    return picture


def flowers(rng: np.random.Generator, side: int) -> np.ndarray:
    """A bright meadow full of flowers under a clouded sky."""
    picture = fade(side, (120, 190, 250), (190, 226, 252), 0, 0.5)
    meadow = rng.uniform(0.44, 0.54)
    picture[int(meadow * side) :] = (128, 204, 84)
    for x in rng.uniform(0.1, 0.9, 2):
        for dx in (-0.07, 0, 0.07):
            cv2.circle(picture, (int((x + dx) * side), int(0.16 * side)), int(0.06 * side), (250, 252, 255), -1)
    petals = ((240, 70, 90), (255, 215, 70), (255, 255, 255), (190, 90, 220))
    for x, y in rng.uniform(0, 1, (26, 2)):
        at = (int(x * side), int((meadow + 0.04 + y * (0.95 - meadow)) * side))
        cv2.circle(picture, at, 4, petals[int(rng.integers(4))], -1)
        cv2.circle(picture, at, 1, (250, 190, 40), -1)
    return picture


def ocean(rng: np.random.Generator, side: int) -> np.ndarray:
    """Open water with rows of waves and a far sail."""
    picture = fade(side, (190, 226, 244), (226, 242, 250), 0, 0.35)
    level = rng.uniform(0.32, 0.4)
    picture[int(level * side) :] = fade(side, (36, 120, 190), (14, 60, 130), level, 1)[int(level * side) :]
    for y in np.arange(level + 0.08, 1, 0.11):
        start = rng.uniform(-0.2, 0)
        for x in np.arange(start, 1, 0.2):
            cv2.ellipse(picture, (int((x + 0.1) * side), int(y * side)), (int(0.09 * side), 4), 0, 180, 360, (120, 190, 232), 2)
    x = rng.uniform(0.1, 0.9)
    cv2.fillPoly(picture, [_points(side, x, level - 0.16, x + 0.08, level - 0.02, x, level - 0.02)], (250, 250, 250))
    cv2.fillPoly(
        picture,
        [_points(side, x - 0.06, level - 0.01, x + 0.1, level - 0.01, x + 0.06, level + 0.03, x - 0.03, level + 0.03)],
        (120, 60, 40),
    )
    return picture


PAINTERS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "beach": beach,
    "snow": snow,
    "forest": forest,
    "city": city,
    "space": space,
    "desert": desert,
    "flowers": flowers,
    "ocean": ocean,
}
DARK_BACKGROUNDS = ("space", "ocean", "forest")
