"""Textual fidelity (CLIP-T) and temporal consistency."""

import torch

from vd_core.metrics.judges import Judges


def text_fidelity(judges: Judges, frames: torch.Tensor, prompt: str) -> float:
    """CLIP-T: the mean cosine of the frames `[f, 3, h, w]` in 0..1 and the prompt (without its placeholder tokens)."""
    return float((judges.embed_images(frames) @ judges.embed_texts([prompt]).T).mean())


def text_gain(judges: Judges, frames: torch.Tensor, said: str, without: str) -> float:
    """By how much the frames' mean cosine with what is `said` is above that with the same `without` some of it: whether they show that."""
    return text_fidelity(judges, frames, said) - text_fidelity(judges, frames, without)


def temporal_consistency(judges: Judges, frames: torch.Tensor) -> float:
    """The mean CLIP image cosine over all pairs of different frames `[f, 3, h, w]` in 0..1."""
    embeddings = judges.embed_images(frames)
    cosines = embeddings @ embeddings.T
    count = len(frames)
    return float((cosines.sum() - cosines.diagonal().sum()) / (count * (count - 1)))
