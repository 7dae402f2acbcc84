"""Prompts that count in a part of the picture, or of the time: where they are, and how much they count there (docs/regions.md)."""

from dataclasses import dataclass, field, replace

import torch
from torch import nn

from vd_core.bases.box_masks import box_masks
from vd_core.bases.encode import embed_prompts
from vd_core.bases.stable_diffusion import Base
from vd_core.inputs.scenes import Box, Scene, event_starts, part_prompts
from vd_core.inputs.subjects import Subject

HARD_UNTIL = 0.5
"""The share of the steps, from the first, in which each frame has one event's prompt: they decide what is there. Later ones fade from event to event."""

FADE = 0.25
"""Over how much of a clip's frames two events fade into each other in the later steps."""

WHOLE = (0.0, 0.0, 1.0, 1.0)
LARGEST_BOUNDED = 32 * 32
"""Positions of a map in which self-attention is bounded: a mask of all pairs costs the fused kernel, and larger maps decide details alone."""


@dataclass(frozen=True)
class Regions:
    """The r regions of each of n clips of f frames.

    `embeds` `[n, r, length, width]` are their prompts', `boxes` `[n, r, f, 4]` their places in fractions of the picture. `weights` `[2, n, r, f]` say how
    much each counts in each frame, in the early steps and in the later ones; 0 for a region that a clip has fewer. `starts` `[n, f]` has the first
    frame of each frame's event, `bounded` `[n]` whether self-attention keeps to its box.
    """

    embeds: torch.Tensor
    boxes: torch.Tensor
    weights: torch.Tensor
    starts: torch.Tensor
    bounded: torch.Tensor

    def of(self, clips: list[int]) -> "Regions":
        """Those of some of the clips, in their order."""
        return Regions(self.embeds[clips], self.boxes[clips], self.weights[:, clips], self.starts[clips], self.bounded[clips])

    @property
    def changing(self) -> torch.Tensor:
        """Which clips have several events, `[n]`."""
        return self.starts.amax(1) > 0

    def placed(self, texts: dict[nn.Module, tuple[torch.Tensor, torch.Tensor]], late: bool, prompted: bool) -> "Places":
        """What a U-Net call of an early or a late step takes, for all frames."""
        return Places(texts, self.boxes, self.weights[int(late)], self.starts, self.bounded, self.boxes[:, :, 0], self.changing, prompted)


@dataclass
class Places:
    """Regions in one U-Net call on their frames from `begin` on, with the keys and values `[n r, heads, m, d]` of each text attention.

    `first_boxes` `[n, r, 4]` are those of the clip's first frame. Without `prompted` the call computes the empty prompt's branch alone, which has
    no regions of its own. `changing` `[n]` says which clips have events.
    """

    texts: dict[nn.Module, tuple[torch.Tensor, torch.Tensor]]
    boxes: torch.Tensor
    weights: torch.Tensor
    starts: torch.Tensor
    bounded: torch.Tensor
    first_boxes: torch.Tensor
    changing: torch.Tensor
    prompted: bool
    begin: int = 0
    maps: dict[torch.Size, torch.Tensor] = field(default_factory=dict)

    def part(self, frames: slice) -> "Places":
        """For some of the frames alone."""
        boxes, weights, starts = self.boxes[:, :, frames], self.weights[:, :, frames], self.starts[:, frames]
        return replace(self, boxes=boxes, weights=weights, starts=starts, begin=frames.start, maps={})

    def masks(self, size: torch.Size) -> torch.Tensor:
        """How much each region counts at each position of maps of `size`: `[n, r, f, h w]`, at most 1 in sum."""
        if size not in self.maps:
            masks = box_masks(self.boxes, size) * self.weights[..., None]
            self.maps[size] = masks / masks.sum(1, keepdim=True).clamp(min=1)
        return self.maps[size]

    def seen(self) -> torch.Tensor:
        """Which two frames each frame looks at, its event's first and the one before it, `[n, f, 2]`.

        As places in a row: two frames that an earlier call has kept (the first of the event that was on, and its last), then this call's.
        """
        own = torch.arange(self.starts.shape[1], device=self.starts.device) + self.begin
        first = torch.where(self.starts < self.begin, 0, self.starts - self.begin + 2)
        before = torch.where(own == 0, 2, own - self.begin + 1).expand_as(first)
        return torch.stack([first, torch.where(self.changing[:, None], before, first)], 2)


def allowed_pairs(query_boxes: torch.Tensor, key_boxes: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """Which positions may look at which, `[..., h w, h w]`: one in a box at its own box and the background, one in no box at all of them.

    Boxes are `[r, ..., 4]`, of the queries' frames and of the keys'. Positions in two boxes belong to both.
    """
    query, key = (hard_masks(boxes, size) for boxes in (query_boxes, key_boxes))
    own = (query[..., :, None] & key[..., None, :]).any(0)
    return own | ~query.any(0)[..., :, None] | ~key.any(0)[..., None, :]


def hard_masks(boxes: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """Boxes `[..., 4]` as bool maps `[..., h w]`."""
    height, width = size
    x, y = ((torch.arange(n, device=boxes.device) + 0.5) / n for n in (width, height))
    left, top, right, bottom = (edge[..., None] for edge in boxes.unbind(-1))
    across, down = (left <= x) & (x < right), (top <= y) & (y < bottom)
    return (down[..., :, None] & across[..., None, :]).flatten(-2)


def build_regions(
    base: Base, subjects: list[Subject], scenes: list[Scene], boxes: list[torch.Tensor], frames: int, repeat: bool
) -> Regions | None:
    """The regions and events of clips of `frames`, one a scene, at its `boxes` `[r, f, 4]`, with prompts that `repeat` their subject or not; None if no scene has any."""
    prompts = [part_prompts(subjects, scene, repeat) for scene in scenes]
    most = max(len(own) for own in prompts)
    if not most:
        return None
    embeds = [embed_prompts(base, [*own.values(), *[""] * (most - len(own))])[1:] for own in prompts]
    places = torch.zeros(len(scenes), most, frames, 4)
    weights = torch.zeros(2, len(scenes), most, frames)
    starts = torch.zeros(len(scenes), frames, dtype=torch.long)
    for i, scene in enumerate(scenes):
        places[i, : len(prompts[i])] = boxes[i]
        weights[:, i, : len(prompts[i])] = 1.0 if scene.actions else weigh_events(event_starts(scene, frames), frames)
        starts[i] = find_starts(event_starts(scene, frames), frames)
    bounded = torch.tensor([scene.bounded for scene in scenes])
    return Regions(torch.stack(embeds), *(t.to(base.device) for t in (places, weights, starts, bounded)))


def find_boxes(subjects: list[Subject], scene: Scene, layout: list[Box], frames: int) -> torch.Tensor:
    """The boxes `[r, f, 4]` of a scene's regions in every frame, those of `layout` if it has none of its own; of later events the whole picture."""
    if not scene.actions:
        return torch.tensor(WHOLE).expand(max(0, len(scene.events) - 1), frames, 4)
    tracks = [scene.layout[s.name] for s in subjects] if scene.layout else [(box,) for box in layout]
    return torch.stack([move_box(torch.tensor(track), frames) for track in tracks])


def move_box(track: torch.Tensor, frames: int) -> torch.Tensor:
    """Boxes over time `[k, 4]` as one a frame `[f, 4]`: evenly spread, straight from one to the next."""
    at = torch.linspace(0, len(track) - 1, frames)
    before = at.floor().long()
    after = (before + 1).clamp(max=len(track) - 1)
    return torch.lerp(track[before], track[after], (at - before)[:, None])


def find_starts(starts: list[int], frames: int) -> torch.Tensor:
    """The first frame of each frame's event, `[f]`."""
    at = torch.arange(frames)
    return torch.tensor(starts)[(at[:, None] >= torch.tensor(starts)).sum(1) - 1]


def weigh_events(starts: list[int], frames: int) -> torch.Tensor:
    """How much each event after the first counts in each frame, `[2, events - 1, f]`: in the early steps one alone, in the later ones faded."""
    at = torch.arange(frames) + 0.5
    turns = torch.tensor(starts[1:])[:, None]
    hard = (at > turns).float()
    soft = ((at - turns) / (FADE * frames) + 0.5).clamp(0, 1)
    return torch.stack([share(hard), share(soft)])


def share(reached: torch.Tensor) -> torch.Tensor:
    """How far each of the later events has begun, `[e, f]`, as each one's own share: what the next one has not taken."""
    following = torch.cat([reached[1:], torch.zeros_like(reached[:1])])
    return (reached - following).clamp(min=0)
