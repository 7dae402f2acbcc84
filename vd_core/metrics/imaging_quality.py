"""Imaging quality: does CLIP call the frames good and sharp?"""

import torch

from vd_core.metrics.judges import Judges

PAIRS = ("Good photo.", "Bad photo."), ("Sharp photo.", "Blurry photo.")
SCALE = 100.0
"""CLIP's logit scale."""


def imaging_quality(judges: Judges, frames: torch.Tensor) -> float:
    """CLIP-IQA (arXiv:2207.12396) of frames `[f, 3, h, w]` in 0..1: how much nearer they are to the good word than to the bad one, 0 to 1.

    The softmax over 100 x the cosines with either text of a pair, mean over two pairs and the frames; higher is better. The CLIP judge's own
    weights (OpenAI's ViT-B/32, MIT), with position embeddings, which CLIP-IQA leaves out. It stands for VBench's imaging_quality, whose
    MUSIQ-SPAQ code is CC BY-NC-SA: figures are not VBench's. Frames are shrunk to 224 pixels first, so fine grain is not seen. Toys have
    none: the embedded base's CLIP knows neither word.
    """
    images = judges.embed_images(frames)
    shares = [(SCALE * images @ judges.embed_texts(list(pair)).T).softmax(1)[:, 0] for pair in PAIRS]
    return float(torch.stack(shares).mean())
