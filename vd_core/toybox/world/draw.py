"""Scenes into pixels: pictures, 16-frame clips, and the toys' boxes."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from vd_core.toybox.world.backgrounds import DARK_BACKGROUNDS, PAINTERS
from vd_core.toybox.world.scenes import Scene, Toy
from vd_core.toybox.world.toys import SIDE, draw_sprite

SIZE = 64
CLIP_FRAMES = 16
CANVAS = 2 * SIZE  # drawn at twice the size, then averaged down


@dataclass(frozen=True)
class Pose:
    """Where a motion has brought a toy: shifts in picture widths, degrees, factors."""

    dx: float = 0.0
    lift: float = 0.0
    angle: float = 0.0
    scale: float = 1.0
    lean: float = 0.0


def pose_at(toy: Toy, phase: float) -> Pose:
    """The toy's pose at `phase` in [0, 1) of its motion."""
    match toy.motion:
        case "jump":
            return Pose(lift=toy.size * (0.14 + 0.34 * np.sin(np.pi * phase)))
        case "left":
            return Pose(dx=(0.5 - phase) * 0.8 * toy.size, lean=0.28)
        case "right":
            return Pose(dx=(phase - 0.5) * 0.8 * toy.size, lean=-0.28)
        case "spin":
            return Pose(angle=20 + 360 * phase, lift=0.04)
        case "grow":
            return Pose(scale=0.55 + 0.7 * phase)
        case "shake":
            return Pose(dx=0.1 * toy.size * np.sin(8 * np.pi * phase), angle=8 * np.sin(8 * np.pi * phase))
    return Pose()


def toy_matrix(toy: Toy, pose: Pose) -> np.ndarray:
    """The 2 x 3 affine map from sprite pixels to canvas pixels."""
    scale = toy.size * pose.scale * CANVAS / SIDE
    angle = np.deg2rad(toy.tilt + pose.angle)
    pivot_y = 16 + (SIDE / 2 if pose.angle else SIDE - 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shear = np.array([[1.0, pose.lean], [0.0, 1.0]])
    mirror = np.diag([-1.0 if toy.flip else 1.0, 1.0])
    linear = scale * turn @ shear @ mirror
    foot = np.array([toy.x + pose.dx, toy.ground - pose.lift]) * CANVAS
    if pose.angle:
        foot[1] -= (SIDE / 2 - 2) * scale
    return np.hstack([linear, (foot - linear @ np.array([16 + SIDE / 2, pivot_y]))[:, None]])


def draw_marks(canvas: np.ndarray, toy: Toy, pose: Pose, colour: tuple) -> None:
    """The strokes that show in one still frame what a toy is doing, in place."""
    half = 0.5 * toy.size * CANVAS * pose.scale
    cx, cy = (toy.x + pose.dx) * CANVAS, (toy.ground - pose.lift) * CANVAS - half
    if toy.motion in ("left", "right"):
        side = 1 if toy.motion == "left" else -1
        for row in (-0.5, 0.0, 0.5):
            start, end = cx + side * half * 0.95, cx + side * half * 1.7
            cv2.line(canvas, (int(start), int(cy + row * half)), (int(end), int(cy + row * half)), colour, 2)
    elif toy.motion == "spin":
        for start in (20, 140, 260):
            box = (int(half * 1.12), int(half * 1.12))
            cv2.ellipse(canvas, (int(cx), int(cy)), box, pose.angle, start, start + 60, colour, 2)
    elif toy.motion == "grow":
        for sx, sy in ((-1, -1), (1, -1), (-1, 0.6), (1, 0.6)):
            start, end = (int(cx + sx * half * 0.9), int(cy + sy * half * 0.9)), (int(cx + sx * half * 1.2), int(cy + sy * half * 1.2))
            cv2.line(canvas, start, end, colour, 2)
    elif toy.motion == "shake":
        for side in (-1, 1):
            x = cx + side * half * 1.0
            zigzag = np.array([[x + side * (4 if i % 2 else -2), cy + (i - 2) * half * 0.3] for i in range(5)], np.int32)
            cv2.polylines(canvas, [zigzag], False, colour, 2)


def draw_toy(canvas: np.ndarray, toy: Toy, phase: float, mark_colour: tuple) -> tuple[int, int, int, int]:
    """Lay one toy over `canvas` in place; its box x1, y1, x2, y2 in canvas pixels."""
    pose = pose_at(toy, phase)
    ground = (int((toy.x + pose.dx) * CANVAS), int(toy.ground * CANVAS))
    width = int(0.36 * toy.size * CANVAS * pose.scale * (1 - 0.5 * min(pose.lift, 0.5)))
    cv2.ellipse(canvas, ground, (max(width, 1), max(width // 5, 1)), 0, 0, 360, (58, 58, 66), -1)
    draw_marks(canvas, toy, pose, mark_colour)
    sprite = draw_sprite(toy.kind, toy.colour, toy.trim, toy.pattern, toy.accessory)
    matrix = toy_matrix(toy, pose)
    corners = matrix @ np.array([[0, SIDE + 32, 0, SIDE + 32], [0, 0, SIDE + 32, SIDE + 32], [1, 1, 1, 1]])
    x1, y1 = np.clip(np.floor(corners.min(1)), 0, CANVAS - 1).astype(int)
    x2, y2 = np.clip(np.ceil(corners.max(1)) + 1, 1, CANVAS).astype(int)
    matrix[:, 2] -= (x1, y1)
    layer = cv2.warpAffine(sprite, matrix, (int(max(x2 - x1, 1)), int(max(y2 - y1, 1))), flags=cv2.INTER_LINEAR)
    window = canvas[y1 : y1 + layer.shape[0], x1 : x1 + layer.shape[1]]
    window[:] = (window * (1 - layer[..., 3:] / 255) + layer[..., :3]).astype(np.uint8)
    bx, by, bw, bh = cv2.boundingRect((layer[..., 3] > 96).astype(np.uint8))
    return int(x1 + bx), int(y1 + by), int(x1 + bx + bw), int(y1 + by + bh)


def paint_background(scene: Scene) -> np.ndarray:
    """The scene's background alone, uint8 `[CANVAS, CANVAS, 3]`."""
    return PAINTERS[scene.background](np.random.default_rng([scene.seed, 5]), CANVAS)


def draw_frame(scene: Scene, phase: float, background: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One moment of a scene: uint8 RGB `[SIZE, SIZE, 3]` and float boxes `[toys, 4]` (x1 y1 x2 y2 in its pixels)."""
    canvas = background.copy()
    marks = (240, 240, 245) if scene.background in DARK_BACKGROUNDS else (70, 66, 80)
    order = sorted(range(len(scene.toys)), key=lambda i: scene.toys[i].ground)
    boxes = np.zeros((len(scene.toys), 4), np.float32)
    for i in order:
        boxes[i] = draw_toy(canvas, scene.toys[i], phase, marks)
    return cv2.resize(canvas, (SIZE, SIZE), interpolation=cv2.INTER_AREA), boxes / 2


def draw_scene(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """A scene as a picture, uint8 RGB `[SIZE, SIZE, 3]`, and its toys' boxes `[toys, 4]`. Collages are narrowed regions side by side."""
    if not scene.regions:
        return draw_frame(scene, scene.phase, paint_background(scene))
    edges = np.linspace(0, SIZE, len(scene.regions) + 1).round().astype(int)
    strips, boxes = [], []
    for region, left, right in zip(scene.regions, edges, edges[1:], strict=False):
        picture, box = draw_scene(region)
        strips.append(cv2.resize(picture, (int(right - left), SIZE), interpolation=cv2.INTER_AREA))
        squeeze = (right - left) / SIZE
        boxes.append(box * [squeeze, 1, squeeze, 1] + [left, 0, left, 0])
    return np.concatenate(strips, axis=1), np.concatenate(boxes).astype(np.float32)


def draw_clip(scene: Scene, frames: int = CLIP_FRAMES) -> np.ndarray:
    """A scene in motion: uint8 RGB `[frames, SIZE, SIZE, 3]`, each toy's motion from its start to its end."""
    background = paint_background(scene)
    return np.stack([draw_frame(scene, f / frames, background)[0] for f in range(frames)])


def in_motion(scene: Scene, motion: str) -> Scene:
    """The same scene with every toy doing `motion`."""
    return replace(scene, toys=tuple(replace(t, motion=motion) for t in scene.toys))
