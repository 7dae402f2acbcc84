"""What guides clips besides their prompts: regions and events, and each box's own motion."""

from dataclasses import dataclass

import torch

from vd_core.bases.stable_diffusion import Base
from vd_core.generation.moves import Moves, carry_boxes, center_paths, moves_of_boxes, moves_of_clip
from vd_core.generation.regions import WHOLE, Regions, build_regions, find_boxes
from vd_core.inputs.clip_motion import ClipMotion
from vd_core.inputs.scenes import Scene
from vd_core.inputs.subjects import Subject


@dataclass(frozen=True)
class Guides:
    """Of n clips: their regions, if any has some, and each clip's moves; None: the plain motion field. Only Text2Video-Zero has moves."""

    regions: Regions | None
    moves: list[Moves | None]

    @property
    def carry(self) -> bool:
        """Whether anything in any clip is carried from its place."""
        return any(moves is not None and moves.carry for moves in self.moves)

    @property
    def turn(self) -> bool:
        """Whether any clip has several events."""
        return self.regions is not None and bool(self.regions.changing.any())

    def of(self, clips: list[int]) -> "Guides":
        """Those of some of the clips, in their order."""
        return Guides(self.regions and self.regions.of(clips), [self.moves[clip] for clip in clips])


def build_guides(
    base: Base,
    subjects: list[Subject],
    scenes: list[Scene],
    layouts: list[int],
    frames: int,
    repeat: bool,
    strength: tuple[float, float] | None = None,
    motion: ClipMotion | None = None,
) -> Guides:
    """The guides of clips of `frames`, one a scene, with automatic boxes by the number in `layouts`; `repeat` is `part_prompts`'.

    With a `strength` (Text2Video-Zero) each box has its own motion: that of its boxes over time, or, if it stays, that of the things that move in
    `motion`, a clip of as many frames. A scene without boxes moves as a whole.
    """
    boxes, moves = [], []
    for scene, layout in zip(scenes, layouts, strict=True):
        own = find_boxes(subjects, scene, layout, frames)
        moved = find_moves(scene, own, frames, strength, motion) if strength else None
        boxes.append(carry_boxes(moved) if moved and scene.actions else own)
        moves.append(moved)
    return Guides(build_regions(base, subjects, scenes, boxes, frames, repeat), moves)


def find_moves(scene: Scene, boxes: torch.Tensor, frames: int, strength: tuple[float, float], motion: ClipMotion | None) -> Moves | None:
    """How a scene's latents move from frame to frame; None: by the plain motion field."""
    stays = not scene.layout or all(len(track) == 1 for track in scene.layout.values())
    if motion and stays:
        return moves_of_clip(center_paths(boxes[:, 0], motion) if scene.actions else torch.tensor([WHOLE]), motion)
    return moves_of_boxes(boxes, strength) if scene.actions else None
