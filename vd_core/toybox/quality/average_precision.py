"""The detector's average precision on drawn scenes."""

import numpy as np
import torch
from torchvision.ops import box_iou

from vd_core.metrics.intervals import with_interval
from vd_core.metrics.judges import Judges
from vd_core.toybox.pretraining.judges import to_unit
from vd_core.toybox.world.draw import draw_scene
from vd_core.toybox.world.scenes import sample_scene

SEED = 1_000_030_000


def measure_ap50(judges: Judges, count: int = 300) -> dict:
    """Average precision at IoU 0.5 over all kinds together, on scenes of one to four toys; the interval is over scenes."""
    rows: list[tuple[int, float, bool]] = []  # scene, score, right
    totals = np.zeros(count)
    for i in range(count):
        scene = sample_scene(SEED + i, collages=False)
        picture, boxes = draw_scene(scene)
        totals[i] = len(boxes)
        with torch.no_grad():
            found = judges.detections(to_unit(picture[None]))[0]
        free = set(range(len(boxes)))
        ious = box_iou(found["boxes"], torch.from_numpy(boxes))
        for d in found["scores"].argsort(descending=True).tolist():
            label = judges.labels[int(found["labels"][d])]
            match = max((t for t in free if scene.toys[t].kind == label), key=lambda t: float(ious[d, t]), default=None)
            right = match is not None and float(ious[d, match]) >= 0.5
            if right:
                free.discard(match)
            rows.append((i, float(found["scores"][d]), right))
    rng = np.random.default_rng(0)
    draws = [average_precision(rows, totals, np.bincount(rng.integers(count, size=count), minlength=count)) for _ in range(200)]
    return with_interval(average_precision(rows, totals, np.ones(count)), draws, count)


def average_precision(rows: list[tuple[int, float, bool]], totals: np.ndarray, weights: np.ndarray) -> float:
    """The area under the precision-recall curve, each scene counted `weights` times."""
    ordered = sorted(rows, key=lambda r: -r[1])
    right = np.cumsum([weights[i] * ok for i, _, ok in ordered])
    seen = np.cumsum([weights[i] for i, _, _ in ordered])
    precision = np.maximum.accumulate((right / np.maximum(seen, 1))[::-1])[::-1]
    recall = right / (totals * weights).sum()
    return float(np.sum(np.diff(np.concatenate([[0], recall])) * precision))
