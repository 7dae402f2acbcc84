"""Where a given picture shows its subject, and how much what a picture shows is like one."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from PIL import Image

from vd_core.inputs.cutouts import Find
from vd_core.inputs.scenes import Said
from vd_core.metrics.clip_scores import text_fidelity, text_gain
from vd_core.metrics.fidelity import SubjectReference, detect, match_frames, score_frames
from vd_core.metrics.judges import Judges
from vd_core.metrics.nouns import known_noun

SEEN_SIDE = 1333
"""Pixels of the longer side of what the detector is shown: it shrinks larger pictures to this itself."""


def find_subject(judges: Judges, picture: Image.Image, class_noun: str) -> tuple[float, float, float, float] | None:
    """The surest box of the noun, (left, top, right, bottom) in the picture's pixels; None if nothing is found, or if the detector lacks the noun."""
    if known_noun(judges.labels, class_noun) is None:
        return None
    scale = max(1.0, max(picture.size) / SEEN_SIDE)
    seen = picture.resize((round(picture.width / scale), round(picture.height / scale))) if scale > 1 else picture
    boxes = find_with(judges)(np.array(seen), class_noun)
    if not len(boxes):
        return None
    left, top, right, bottom = (v * scale for v in boxes[0].tolist())
    return left, top, right, bottom


def find_with(judges: Judges) -> Find:
    """A finder: the judges' detections of a noun, the surest first; all of them without a noun, and of one that the detector lacks."""

    def find(picture: np.ndarray, noun: str | None) -> np.ndarray:
        found = detect(judges, torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255)[0]
        known = known_noun(judges.labels, noun) if noun else None
        named = [i for i, label in enumerate(found["labels"].tolist()) if known is None or judges.labels[label] == known]
        return found["boxes"][named].cpu().numpy().reshape(-1, 4)

    return find


def alike_with(judges: Judges, references: Sequence[SubjectReference]) -> Callable[[np.ndarray, int], float]:
    """How much like a subject's given pictures a picture `[h, w, 3]` of uint8 shows it, by the subject's number: the DINO score, 0 if it is missing."""

    def alike(picture: np.ndarray, subject: int) -> float:
        pixels = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
        return float(np.nan_to_num(score_frames(match_frames(judges, pixels, [references[subject]])))[0, 0])

    return alike


def shows_with(judges: Judges) -> Callable[[np.ndarray, Said], float]:
    """How much a picture `[h, w, 3]` of uint8 shows of what is said of a subject alone, as CLIP has it."""

    def shows(picture: np.ndarray, said: Said) -> float:
        return text_gain(judges, torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255, *said)

    return shows


def fits_with(judges: Judges) -> Callable[[np.ndarray, str], float]:
    """How much an empty place `[h, w, 3]` of uint8 is what is said of it, as CLIP has it."""

    def fits(place: np.ndarray, said: str) -> float:
        return text_fidelity(judges, torch.from_numpy(place.copy()).permute(2, 0, 1)[None].float() / 255, said)

    return fits
