"""Disen-Mix through regions: each subject's own text in its box, and one subject alone on the same noisy picture. Not the paper's (DisenStudio's terms)."""

from dataclasses import dataclass

import torch

from vd_core.bases.box_masks import box_masks
from vd_core.bases.region_attention import has_area
from vd_core.training.data import Batch
from vd_core.training.losses import masked_loss
from vd_core.training.step import gather_embeds


@dataclass(frozen=True)
class Alone:
    """One subject of each of k mixed pictures: which of the batch's latents, whose, and its box `[k, 4]`."""

    samples: torch.Tensor
    subject_ids: torch.Tensor
    boxes: torch.Tensor


def choose_alone(batch: Batch, generator: torch.Generator) -> Alone | None:
    """A subject at random of each picture in the batch that has boxes; None if none has."""
    assert batch.boxes is not None
    which = has_area(batch.boxes).any(1).nonzero()[:, 0]
    if not len(which):
        return None
    ids = torch.randint(batch.boxes.shape[1], (len(which),), generator=generator).to(which.device)
    return Alone(which + len(batch.subject_ids), ids, batch.boxes[which, ids])


def add_region_texts(
    texts: torch.Tensor, prompt_embeds: torch.Tensor, batch: Batch, alone: int
) -> tuple[torch.Tensor, dict[str, dict[str, torch.Tensor]]]:
    """The `texts` `[b, length, d]`, behind each of them all subjects' own, and what the U-Net takes beside: the mixed pictures' boxes, none of the others."""
    assert batch.boxes is not None
    subjects = batch.boxes.shape[1]
    own = gather_embeds(prompt_embeds, batch.own_prompts).flatten(0, 1).expand(len(texts), -1, -1)
    before, after = (batch.boxes.new_zeros(n, subjects, 4) for n in (len(batch.subject_ids), alone))
    boxes = torch.cat([before, batch.boxes, batch.boxes, after])
    return torch.cat([texts, own], 1), {"cross_attention_kwargs": {"boxes": boxes}}


def alone_loss(model_pred: torch.Tensor, target: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """The denoising loss of one subject's prompt within its box `[k, 4]`; a scalar."""
    size = model_pred.shape[-2:]
    return masked_loss(model_pred, target, box_masks(boxes, size).unflatten(-1, size)[:, None]).mean()
