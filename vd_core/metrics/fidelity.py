"""Subject fidelity: detect in each frame, then compare what was detected with the given pictures (DINO score)."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torchvision.ops import box_iou, nms

from vd_core.metrics.judges import Judges
from vd_core.metrics.nouns import known_noun

DETECTION_SCORE = 0.5
SAME_THING = 0.7
"""Detections that overlap by more (intersection over union) are one thing under two nouns; the one with the higher score counts."""

FORBIDDEN = -10.0
"""A cosine below all others: such a pair is made only where there is no other."""


@dataclass(frozen=True)
class SubjectReference:
    """What a subject looks like: unit identity embeddings `[m, d]` of its given pictures, and its noun."""

    class_noun: str
    embeddings: torch.Tensor


@torch.no_grad()
def detect(judges: Judges, frames: torch.Tensor) -> list[dict[str, torch.Tensor]]:
    """Confident detections of frames `[f, 3, h, w]` in 0..1, highest score first: `boxes` `[n, 4]`, `labels` `[n]`, `scores` `[n]` a frame.

    Those of the open detector, if there is one, come before the detector's.
    """
    opened, found = judges.open_detector, []
    for frame, result in zip(frames, judges.detections(frames), strict=True):
        kept = nms(result["boxes"], result["scores"], SAME_THING)
        kept = kept[result["scores"][kept] >= DETECTION_SCORE]
        closed = {k: v[kept] for k, v in result.items()}
        found.append(join(opened.find(frame), closed, len(judges.labels) - len(opened.nouns)) if opened else closed)
    return found


def join(opened: dict[str, torch.Tensor], closed: dict[str, torch.Tensor], first: int) -> dict[str, torch.Tensor]:
    """The open detector's findings, labelled from `first` on, and those of the detector that are other things.

    Of one thing the open detector's noun counts: it has told it apart from the other subjects' nouns, and the detector has no word for it. The two
    detectors' scores cannot be compared.
    """
    apart = (box_iou(closed["boxes"], opened["boxes"]) <= SAME_THING).all(1)
    opened = opened | {"labels": opened["labels"] + first}
    return {key: torch.cat([values, closed[key][apart]]) for key, values in opened.items()}


def crop_boxes(frame: torch.Tensor, boxes: torch.Tensor, size: int) -> torch.Tensor:
    """The boxes `[n, 4]` of a frame `[3, h, w]` as pictures `[n, 3, size, size]`."""
    crops = []
    height, width = frame.shape[1:]
    for x1, y1, x2, y2 in boxes.round().int().tolist():
        left, top = min(max(x1, 0), width - 1), min(max(y1, 0), height - 1)  # a sliver at the far side still has a pixel
        crop = frame[:, top : max(y2, y1 + 2), left : max(x2, x1 + 2)]
        crops.append(torch.nn.functional.interpolate(crop[None], (size, size), mode="bilinear", align_corners=False))
    return torch.cat(crops) if crops else frame.new_zeros(0, 3, size, size)


def refer_to(judges: Judges, class_noun: str, pictures: torch.Tensor) -> SubjectReference:
    """A subject's reference from its pictures `[m, 3, h, w]` in 0..1: the best detection of its noun, or else the whole picture.

    No other noun's box: where the detector does not know the noun, its best box may be the bench that the subject sits on.
    """
    size, noun = judges.identity.config.image_size, known_noun(judges.labels, class_noun)
    crops = []
    for picture, found in zip(pictures, detect(judges, pictures), strict=True):
        boxes = found["boxes"]
        named = [i for i, label in enumerate(found["labels"].tolist()) if judges.labels[label] == noun]
        chosen = boxes[named[:1]]
        whole = torch.tensor([[0, 0, picture.shape[2], picture.shape[1]]])
        crops.append(crop_boxes(picture, chosen if len(chosen) else whole, size))
    return SubjectReference(class_noun, judges.embed_identity(torch.cat(crops)))


@dataclass(frozen=True)
class Matches:
    """A frame's identity matrix: `cosines` `[subjects, detections]`, each the mean over a subject's references, and which detection is whose.

    Detection `columns[k]` stands for subject `rows[k]`.
    """

    cosines: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


@torch.no_grad()
def match_frames(judges: Judges, frames: torch.Tensor, subjects: list[SubjectReference]) -> list[Matches]:
    """Every subject's references against every detection, frame by frame of `[f, 3, h, w]` in 0..1.

    Detections are given to the subjects one to one so that the sum of the scores is greatest: one toy cannot stand for two subjects. What is
    detected as another subject's noun cannot stand for this one: a second car is no dog.
    """
    size, matches = judges.identity.config.image_size, []
    for frame, found in zip(frames, detect(judges, frames), strict=True):
        if not len(found["boxes"]):
            matches.append(Matches(np.zeros((len(subjects), 0)), np.zeros(0, int), np.zeros(0, int)))
            continue
        embeddings = judges.embed_identity(crop_boxes(frame, found["boxes"], size))
        cosines = np.stack([(s.embeddings @ embeddings.T).mean(0).numpy() for s in subjects])
        allowed = may_stand(judges, found["labels"], subjects)
        rows, columns = assign(np.where(allowed, cosines.clip(min=0), FORBIDDEN))
        kept = allowed[rows, columns]
        matches.append(Matches(cosines, rows[kept], columns[kept]))
    return matches


def score_frames(matches: list[Matches]) -> np.ndarray:
    """The DINO score of every subject in every frame: float `[f, subjects]`, NaN where no detection is left for it.

    A cosine below 0 counts 0: to show something else altogether is no worse than to show nothing.
    """
    scores = np.full((len(matches), len(matches[0].cosines)), np.nan)
    for f, m in enumerate(matches):
        scores[f, m.rows] = m.cosines[m.rows, m.columns].clip(min=0)
    return scores


def may_stand(judges: Judges, labels: torch.Tensor, subjects: list[SubjectReference]) -> np.ndarray:
    """Which detections `labels` `[n]` may stand for which subjects: bool `[subjects, n]`; not those that are called another subject's noun."""
    nouns = [judges.labels[label] for label in labels.tolist()]
    asked = [known_noun(judges.labels, s.class_noun) for s in subjects]
    return np.array([[noun == own or noun not in asked for noun in nouns] for own in asked])


def assign(cosines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The one-to-one pairs (rows, columns) of greatest sum."""
    return linear_sum_assignment(cosines, maximize=True)


def subject_fidelity(scores: np.ndarray) -> dict[str, float]:
    """Means over `score_frames`' array: `subject_fidelity` (a missing subject counts 0) and `missing_rate`."""
    return {"subject_fidelity": float(np.nan_to_num(scores).mean()), "missing_rate": float(np.isnan(scores).mean())}
