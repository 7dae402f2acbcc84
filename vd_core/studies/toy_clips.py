"""What the attribute reader and the tracker say of a clip of drawn toys, beside the metrics that all clips have."""

import numpy as np
from PIL import Image

from vd_core.metrics.report import to_unit
from vd_core.studies.toys import Jury, Toys
from vd_core.toybox.reading.action_binding import action_binding
from vd_core.toybox.reading.binding import attribute_binding
from vd_core.toybox.reading.reader import read_picture
from vd_core.toybox.world.scenes import MOTIONS

READ_EVERY = 4
"""Of the frames the reader reads one in so many; the tracker sees all."""


def read_toys(jury: Jury, frames: list[Image.Image], toys: Toys, prompt: str) -> dict[str, float | None]:
    """`attribute_binding`'s figures, the means over some frames, and `action_binding`: None if `prompt` names no motion, or of a single picture."""
    rows = [attribute_binding(read_picture(jury.judges, jury.reader, frame), toys) for frame in frames[::READ_EVERY]]
    motion = named_motion(prompt)
    moves = motion and len(frames) > 1
    acting = action_binding(jury.judges, jury.reader, to_unit(frames), dict.fromkeys(toys, motion)) if moves else None
    return {**{name: float(np.mean([row[name] for row in rows])) for name in rows[0]}, "action_binding": acting}


def named_motion(prompt: str) -> str | None:
    """The motion that a prompt names, a key of MOTIONS; None if it names none."""
    return next((name for name, words in MOTIONS.items() if words and words in prompt), None)
