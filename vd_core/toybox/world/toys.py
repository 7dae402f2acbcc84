"""The toys' shapes: a sprite of 96 x 96 pixels a toy, from a table of ellipses and polygons a kind."""

from functools import lru_cache

import cv2
import numpy as np

from vd_core.toybox.world.scenes import COLOURS, Toy

SIDE = 96
DARK = (40, 34, 44)
OUTLINE = (52, 44, 56)
# (role, shape, numbers): "e" is an ellipse cx cy rx ry angle, "p" a polygon x y x y ...; later parts lie over earlier ones.
PARTS = {
    "dog": [
        ("body", "e", (78, 58, 5, 14, 35)), ("body", "e", (48, 72, 25, 18, 0)), ("body", "p", (28, 72, 40, 72, 40, 93, 28, 93)),
        ("body", "p", (56, 72, 68, 72, 68, 93, 56, 93)), ("body", "e", (48, 36, 22, 20, 0)), ("trim", "e", (25, 38, 8, 18, 12)),
        ("trim", "e", (71, 38, 8, 18, -12)), ("trim", "e", (48, 46, 12, 9, 0)), ("dark", "e", (48, 42, 5, 4, 0)),
        ("dark", "e", (40, 31, 4, 4, 0)), ("dark", "e", (56, 31, 4, 4, 0)),
    ],
    "cat": [
        ("body", "p", (70, 84, 84, 72, 82, 44, 89, 42, 92, 76, 74, 92)), ("body", "e", (48, 74, 22, 19, 0)),
        ("body", "p", (26, 34, 24, 4, 46, 22)), ("body", "p", (70, 34, 72, 4, 50, 22)), ("trim", "p", (29, 24, 28, 12, 38, 20)),
        ("trim", "p", (67, 24, 68, 12, 58, 20)), ("body", "e", (48, 38, 25, 20, 0)), ("trim", "e", (48, 80, 11, 12, 0)),
        ("light", "e", (38, 36, 6, 6, 0)), ("light", "e", (58, 36, 6, 6, 0)), ("dark", "e", (38, 36, 2, 6, 0)),
        ("dark", "e", (58, 36, 2, 6, 0)), ("dark", "p", (44, 45, 52, 45, 48, 50)),
    ],
    "bear": [
        ("body", "e", (27, 18, 10, 10, 0)), ("body", "e", (69, 18, 10, 10, 0)), ("trim", "e", (27, 18, 5, 5, 0)),
        ("trim", "e", (69, 18, 5, 5, 0)), ("body", "e", (48, 68, 27, 25, 0)), ("body", "e", (20, 62, 8, 14, 30)),
        ("body", "e", (76, 62, 8, 14, -30)), ("trim", "e", (48, 72, 15, 16, 0)), ("body", "e", (48, 32, 24, 20, 0)),
        ("trim", "e", (48, 40, 10, 8, 0)), ("dark", "e", (48, 37, 5, 3, 0)), ("dark", "e", (39, 28, 3, 3, 0)),
        ("dark", "e", (57, 28, 3, 3, 0)),
    ],
    "robot": [
        ("dark", "p", (46, 4, 50, 4, 50, 16, 46, 16)), ("trim", "e", (48, 6, 5, 5, 0)), ("body", "p", (24, 14, 72, 14, 72, 44, 24, 44)),
        ("body", "p", (20, 48, 76, 48, 76, 80, 20, 80)), ("trim", "p", (8, 50, 18, 50, 18, 76, 8, 76)),
        ("trim", "p", (78, 50, 88, 50, 88, 76, 78, 76)), ("trim", "p", (28, 82, 42, 82, 42, 94, 28, 94)),
        ("trim", "p", (54, 82, 68, 82, 68, 94, 54, 94)), ("light", "p", (32, 22, 44, 22, 44, 34, 32, 34)),
        ("light", "p", (52, 22, 64, 22, 64, 34, 52, 34)), ("dark", "p", (36, 25, 41, 25, 41, 31, 36, 31)),
        ("dark", "p", (56, 25, 61, 25, 61, 31, 56, 31)),
    ],
    "bird": [
        ("dark", "p", (38, 78, 42, 78, 42, 94, 38, 94)), ("dark", "p", (54, 78, 58, 78, 58, 94, 54, 94)),
        ("body", "p", (64, 66, 94, 50, 90, 72, 68, 80)), ("body", "e", (46, 62, 28, 24, 0)), ("body", "e", (34, 30, 18, 18, 0)),
        ("trim", "p", (18, 26, 0, 36, 20, 40)), ("trim", "e", (54, 62, 16, 11, 20)), ("light", "e", (30, 26, 6, 6, 0)),
        ("dark", "e", (29, 26, 3, 3, 0)), ("trim", "p", (34, 14, 30, 2, 42, 6, 42, 14)),
    ],
    "bunny": [
        ("body", "e", (36, 20, 7, 20, -8)), ("body", "e", (60, 20, 7, 20, 8)), ("trim", "e", (36, 21, 3, 14, -8)),
        ("trim", "e", (60, 21, 3, 14, 8)), ("body", "e", (48, 77, 20, 17, 0)), ("trim", "e", (48, 81, 10, 11, 0)),
        ("body", "e", (48, 48, 19, 16, 0)), ("trim", "e", (36, 92, 10, 4, 0)), ("trim", "e", (60, 92, 10, 4, 0)),
        ("dark", "e", (41, 45, 3, 4, 0)), ("dark", "e", (55, 45, 3, 4, 0)), ("light", "p", (44, 55, 52, 55, 52, 62, 44, 62)),
    ],
    "car": [
        ("body", "p", (20, 56, 30, 34, 64, 34, 78, 56)), ("light", "p", (27, 55, 34, 39, 46, 39, 46, 55)),
        ("light", "p", (50, 55, 50, 39, 62, 39, 70, 55)), ("body", "p", (4, 56, 92, 56, 94, 80, 2, 80)),
        ("trim", "p", (3, 72, 93, 72, 94, 80, 2, 80)), ("dark", "e", (24, 82, 12, 12, 0)), ("dark", "e", (72, 82, 12, 12, 0)),
        ("trim", "e", (24, 82, 5, 5, 0)), ("trim", "e", (72, 82, 5, 5, 0)), ("trim", "e", (89, 63, 4, 4, 0)),
    ],
    "ghost": [
        ("body", "e", (48, 38, 30, 32, 0)), ("body", "p", (18, 38, 78, 38, 80, 92, 68, 80, 58, 93, 48, 80, 38, 93, 28, 80, 16, 92)),
        ("trim", "e", (28, 50, 6, 5, 0)), ("trim", "e", (68, 50, 6, 5, 0)), ("dark", "e", (38, 36, 5, 8, 0)),
        ("dark", "e", (58, 36, 5, 8, 0)), ("trim", "e", (48, 58, 7, 8, 0)),
    ],
}  # fmt: skip
# Where things are worn: x and y of the top of the head, x and y of the neck, half the neck's width.
ANCHORS = {
    "dog": (48, 17, 48, 57, 20), "cat": (48, 19, 48, 58, 19), "bear": (48, 13, 48, 51, 20), "robot": (48, 15, 48, 46, 24),
    "bird": (34, 13, 38, 46, 18), "bunny": (48, 33, 48, 63, 15), "car": (47, 35, 47, 58, 26), "ghost": (48, 8, 48, 68, 28),
}  # fmt: skip


def ellipse_points(numbers: tuple[float, ...]) -> np.ndarray:
    """The outline of an ellipse (cx, cy, rx, ry, degrees) as whole points `[n, 2]`."""
    cx, cy, rx, ry, angle = (round(v) for v in numbers)
    return cv2.ellipse2Poly((cx, cy), (rx, ry), angle, 0, 360, 12)


def pattern_mask(pattern: str) -> np.ndarray:
    """Where a pattern shows the second colour: bool `[SIDE, SIDE]`."""
    y, x = np.mgrid[:SIDE, :SIDE]
    if pattern == "striped":
        return (y + 3) % 20 < 9
    if pattern == "spotted":
        shift = np.where((y // 19) % 2 == 0, 0, 10)
        return (((x + shift) % 20) - 10) ** 2 + ((y % 19) - 10) ** 2 < 38
    if pattern == "checkered":
        return (x // 12 + y // 12) % 2 == 0
    return np.zeros((SIDE, SIDE), bool)


def draw_accessory(canvas: np.ndarray, alpha: np.ndarray, toy: Toy) -> None:
    """Put the toy's hat, scarf or bow on, in place."""
    head_x, head_y, neck_x, neck_y, half = ANCHORS[toy.kind]
    if toy.accessory == "hat":
        brim = np.array([[head_x - 20, head_y], [head_x + 20, head_y], [head_x + 20, head_y + 5], [head_x - 20, head_y + 5]])
        crown = np.array([[head_x - 12, head_y - 15], [head_x + 12, head_y - 15], [head_x + 12, head_y], [head_x - 12, head_y]])
        band = np.array([[head_x - 12, head_y - 5], [head_x + 12, head_y - 5], [head_x + 12, head_y], [head_x - 12, head_y]])
        shapes = [(brim, DARK), (crown, DARK), (band, (200, 60, 60))]
    elif toy.accessory == "scarf":
        x, y = neck_x, neck_y
        wrap = np.array([[x - half, y - 4], [x + half, y - 4], [x + half, y + 5], [x - half, y + 5]])
        tail = np.array([[x + half - 12, y + 2], [x + half - 2, y + 2], [x + half, y + 22], [x + half - 10, y + 22]])
        shapes = [(wrap, (170, 30, 60)), (tail, (170, 30, 60))]
    else:
        x, y = head_x + 12, head_y + 4
        left, right = np.array([[x, y], [x - 14, y - 9], [x - 14, y + 9]]), np.array([[x, y], [x + 14, y - 9], [x + 14, y + 9]])
        shapes = [(left, (235, 60, 150)), (right, (235, 60, 150)), (ellipse_points((x, y, 4, 4, 0)), (250, 240, 120))]
    for points, colour in shapes:
        cv2.fillPoly(canvas, [points.astype(np.int32)], colour)
        cv2.fillPoly(alpha, [points.astype(np.int32)], 255)


@lru_cache(maxsize=4096)
def draw_sprite(kind: str, colour: str, trim: str, pattern: str, accessory: str | None) -> np.ndarray:
    """One toy upright, facing right: premultiplied RGBA float32 `[SIDE + 32, SIDE + 32, 4]` in 0..255, 16 pixels of air around."""
    toy = Toy(kind, colour, trim, pattern, accessory)
    canvas = np.zeros((SIDE, SIDE, 3), np.uint8)
    alpha = np.zeros((SIDE, SIDE), np.uint8)
    main = np.empty_like(canvas)
    main[:] = COLOURS[colour]
    main[pattern_mask(pattern)] = COLOURS[trim]
    plain = {"trim": COLOURS[trim], "dark": DARK, "light": (250, 250, 250)}
    for role, shape, numbers in PARTS[kind]:
        points = ellipse_points(numbers) if shape == "e" else np.array(numbers, np.int32).reshape(-1, 2)
        if role == "body":
            mask = np.zeros((SIDE, SIDE), np.uint8)
            cv2.fillPoly(mask, [points], 255)
            cv2.copyTo(main, mask, canvas)
        else:
            cv2.fillPoly(canvas, [points], plain[role])
        cv2.fillPoly(alpha, [points], 255)
    if accessory:
        draw_accessory(canvas, alpha, toy)
    canvas = cv2.copyMakeBorder(canvas, 16, 16, 16, 16, cv2.BORDER_CONSTANT)
    alpha = cv2.copyMakeBorder(alpha, 16, 16, 16, 16, cv2.BORDER_CONSTANT)
    rim = cv2.dilate(alpha, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    canvas[(rim > 0) & (alpha == 0)] = OUTLINE
    sprite = np.dstack([canvas, rim]).astype(np.float32)
    sprite[..., :3] *= sprite[..., 3:] / 255
    return sprite
