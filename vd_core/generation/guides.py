"""What guides clips besides their prompts: regions and events, and each box's own motion."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from diffusers import DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler

from vd_core.bases.stable_diffusion import Base
from vd_core.generation.moves import Moves, carry_boxes, center_paths, make_room, moves_of_boxes, moves_of_clip
from vd_core.generation.regions import WHOLE, Regions, build_regions, find_boxes
from vd_core.inputs.clip_motion import ClipMotion
from vd_core.inputs.scenes import Asked, Box, Scene
from vd_core.inputs.subjects import Subject

Scheduler = DDIMScheduler | DPMSolverMultistepScheduler
Hold = Callable[[torch.Tensor, int], torch.Tensor]
"""(latents as noisy as a step takes them, the step; their number: after the last) to the same, some of them set to what they should be."""


@dataclass(frozen=True)
class Stage:
    """What n clips are drawn on from, clean latents `[n, f, c, h, w]`, and the `share` of the steps that is left for it.

    Where `held` `[n, f, 1, h, w]` is true they are not drawn on: they end as they are. `pixels` `[n, f, 3, height, width]`, uint8, is what they encode, and
    `cover` `[n, f, 1, height, width]`, 0 to 1, how far each pixel of it is to be seen in the end (`put_back`).
    """

    latents: torch.Tensor
    share: float
    held: torch.Tensor | None = None
    pixels: torch.Tensor | None = None
    cover: torch.Tensor | None = None

    def of(self, clips: list[int]) -> "Stage":
        """That of some of the clips."""
        held, pixels, cover = (None if own is None else own[clips] for own in (self.held, self.pixels, self.cover))
        return Stage(self.latents[clips], self.share, held, pixels, cover)


@dataclass(frozen=True)
class Solos:
    """What a clip's r subjects are asked for with when each is drawn alone: in each of its e events, which begin at the frames `starts`.

    `embeds` `[1 + e r, length, width]` are the empty prompt's and theirs, event by event, `asked` what each asks for; `boxes` `[r, f, 4]` are
    where they stand in the clip.
    """

    embeds: torch.Tensor
    asked: list[Asked]
    boxes: torch.Tensor
    starts: list[int]


@dataclass(frozen=True)
class Guides:
    """Of n clips: their regions, if any has some, and each clip's moves; None: the plain motion field. Only Text2Video-Zero has moves.

    Where a clip is `held` its boxes alone move its subjects, each a picture that lasts for the clip. `alone` has each clip's subjects, if these are to be drawn
    alone first; `stage` is what comes of that (`vd_core.generation.staging`).
    """

    regions: Regions | None
    moves: list[Moves | None]
    held: list[bool]
    alone: list[Solos | None] | None = None
    stage: Stage | None = None

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
        alone = self.alone and [self.alone[clip] for clip in clips]
        moves, held = [self.moves[clip] for clip in clips], [self.held[clip] for clip in clips]
        return Guides(self.regions and self.regions.of(clips), moves, held, alone, self.stage and self.stage.of(clips))


def enter(
    stage: Stage | None, noise_scheduler: DDPMScheduler, scheduler: Scheduler, noise: torch.Tensor, latest: int | None = None
) -> tuple[torch.Tensor, int]:
    """The latents that sampling begins with, and the step at which they are that noisy, at most `latest`; `scheduler` is told. Without a stage `noise` and 0."""
    if stage is None:
        return noise, 0
    steps = len(scheduler.timesteps)
    first = min(round((1 - stage.share) * steps), steps - 1 if latest is None else latest)
    scheduler.set_begin_index(first)
    return noise_scheduler.add_noise(stage.latents.to(noise), noise, scheduler.timesteps[first].cpu().long()), first


def hold_stage(stage: Stage | None, noise_scheduler: DDPMScheduler, scheduler: Scheduler, noise: torch.Tensor) -> Hold | None:
    """What is held of a stage, as noisy as each step has it, by the same `noise` as it was entered with (blended latents, Avrahami et al. 2023); None if nothing is."""
    if stage is None or stage.held is None:
        return None
    held, latents, timesteps = stage.held, stage.latents.to(noise), scheduler.timesteps

    def hold(noisy: torch.Tensor, step: int) -> torch.Tensor:
        own = noise_scheduler.add_noise(latents, noise, timesteps[step].cpu().long()) if step < len(timesteps) else latents
        return torch.where(held, own, noisy)

    return hold


def put_back(frames: torch.Tensor, stage: Stage | None) -> torch.Tensor:
    """Decoded frames `[n, f, 3, h, w]` in [-1, 1] with the pixels of what was held, as inpainting has it: the autoencoder blurs what is small.

    A stage of other frames than these (Text2Video-Zero's first, which it moves) puts nothing back.
    """
    if stage is None or stage.pixels is None or stage.cover is None or stage.pixels.shape[1] != frames.shape[1]:
        return frames
    return torch.lerp(frames, stage.pixels.to(frames) / 127.5 - 1, stage.cover.to(frames))


def build_guides(
    base: Base,
    subjects: list[Subject],
    scenes: list[Scene],
    layouts: list[list[Box]],
    frames: int,
    repeat: bool,
    strength: tuple[float, float] | None = None,
    motion: ClipMotion | None = None,
    held: list[bool] | None = None,
) -> Guides:
    """The guides of clips of `frames`, one a scene, with the boxes of its layout where it has none of its own; `repeat` is `part_prompts`'.

    With a `strength` (Text2Video-Zero) each box has its own motion: that of its boxes over time, or, if it stays, that of the things that move in
    `motion`, a clip of as many frames. A scene without boxes moves as a whole. Without (AnimateDiff) boxes go the ways of these things, and no latent is carried.
    Nor is one with a strength in scenes with boxes that are `held` (one value a scene): their subjects are laid out in every frame.
    """
    boxes, moves, fixed = [], [], held or [False] * len(scenes)
    for scene, layout, laid in zip(scenes, layouts, fixed, strict=True):
        own, carried = find_boxes(subjects, scene, layout, frames), None if laid and scene.actions else strength
        moved = find_moves(scene, own, carried, motion)
        boxes.append(carry_boxes(moved) if moved and scene.actions else own)
        moves.append(moved if carried else None)
    return Guides(build_regions(base, subjects, scenes, boxes, frames, repeat), moves, fixed)


def find_moves(scene: Scene, boxes: torch.Tensor, strength: tuple[float, float] | None, motion: ClipMotion | None) -> Moves | None:
    """How a scene's latents, or without a `strength` its boxes alone, move from frame to frame; None: by the plain motion field, or not at all."""
    if motion and strength and not scene.travels:
        return moves_of_clip(center_paths(boxes[:, 0], motion) if scene.actions else torch.tensor([WHOLE]), motion)
    if motion and scene.actions and not scene.travels:
        return moves_of_clip(make_room(boxes[:, 0], motion), motion)
    return moves_of_boxes(boxes, strength) if strength and scene.actions else None
