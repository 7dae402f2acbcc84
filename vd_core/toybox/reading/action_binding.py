"""Action binding: does each toy do what its prompt says? By the tracked toys, in the drawn world alone."""

from collections.abc import Mapping

import torch

from vd_core.metrics.judges import Judges
from vd_core.toybox.reading.reader import AttributeReader
from vd_core.toybox.reading.tracking import name_motion, track_kinds


def action_binding(judges: Judges, reader: AttributeReader, frames: torch.Tensor, motions: Mapping[str, str]) -> float:
    """The share of toys, 0 to 1, that show their own motion in frames `[f, 3, h, w]` in 0..1.

    `motions`: each toy's kind and its motion, a key of MOTIONS. A toy that is not found does nothing, so it does not even stand "still".
    Our own; the weights are the embedded base's detector and reader.
    """
    tracks = track_kinds(judges, reader, frames, list(motions))
    return sum(len(tracks[kind]) > 0 and name_motion(tracks[kind]) == motion for kind, motion in motions.items()) / len(motions)
