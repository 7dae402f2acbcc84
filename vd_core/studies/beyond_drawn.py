"""What the jury reads in the world's own drawings of what clips of two toys are asked for: the ceilings of `vd_core.studies.beyond_clips`."""

import numpy as np
import torch

from vd_core.seeds import seed_for
from vd_core.studies.beyond import Plan, Rows
from vd_core.studies.beyond_clips import name_motions, read_actions, read_events
from vd_core.studies.toys import Jury, Toys
from vd_core.toybox.world.draw import CLIP_FRAMES, draw_clip
from vd_core.toybox.world.scenes import BACKGROUNDS, Scene, Toy


def read_drawn_actions(jury: Jury, toys: Toys, plan: Plan) -> Rows:
    """`own_action`, of toys that each do what their own words say."""
    wanted = [name_motions(toys, actions) for actions in plan.actions for _ in range(plan.clips)]
    places = list(BACKGROUNDS)
    clips = [
        draw_clip(Scene(stand(toys, motions), places[i % len(places)], seed_for("drawn action", i) % 2**31), CLIP_FRAMES)
        for i, motions in enumerate(wanted)
    ]
    return read_actions(jury, as_clips(clips), wanted)


def read_drawn_events(jury: Jury, toys: Toys, plan: Plan) -> Rows:
    """`event_order`, of toys that stand still while their place changes."""
    turns = [turn for turn in plan.events for _ in range(plan.clips)]
    names = {words: name for name, words in BACKGROUNDS.items()}
    clips = []
    for i, turn in enumerate(turns):
        scenes = [Scene(stand(toys, {}), names[place], seed_for("drawn event", i) % 2**31) for place in turn]
        clips.append(np.concatenate([draw_clip(scene, CLIP_FRAMES // 2) for scene in scenes]))
    return read_events(jury, as_clips(clips), turns)


def stand(toys: Toys, motions: dict[str, str]) -> tuple[Toy, ...]:
    """Two toys side by side, each with its motion, if it has one."""
    return tuple(
        Toy(kind, *looks, motion=motions.get(kind, "still"), x=x, ground=0.9, size=0.42)
        for (kind, looks), x in zip(toys.items(), (0.27, 0.73), strict=True)
    )


def as_clips(drawn: list[np.ndarray]) -> torch.Tensor:
    """Drawn clips, uint8 `[f, h, w, 3]` each, as `[n, f, 3, h, w]` in 0..1."""
    return torch.from_numpy(np.stack(drawn)).permute(0, 1, 4, 2, 3) / 255
