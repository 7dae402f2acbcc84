"""OWLv2 (arXiv:2306.09683): a detector that is asked for any noun."""

from dataclasses import dataclass

import torch
from torchvision.ops import box_area, nms
from transformers import Owlv2ForObjectDetection, Owlv2Processor

from vd_core.bases.hub import loading, where
from vd_core.settings import Part

OPEN_SCORE = 0.1
"""The model card's threshold."""

OPEN_OVERLAP = 0.7
"""Neighboring patches find one thing twice; of two boxes that overlap by more (intersection over union) the surer one counts."""


@dataclass(frozen=True)
class OpenDetector:
    """OWLv2, its processor, the `nouns` that it looks for, and the `others`: nouns of what else may be there, which those are told apart from."""

    model: Owlv2ForObjectDetection
    processor: Owlv2Processor
    nouns: tuple[str, ...]
    others: tuple[str, ...]

    @torch.no_grad()
    def find(self, picture: torch.Tensor) -> dict[str, torch.Tensor]:
        """What `picture` `[3, h, w]` in 0..1 shows of `nouns`, surest first, on the CPU: `boxes` `[n, 4]` in its pixels, `labels` and `scores` `[n]`.

        A label is a noun's place in `nouns`. What is surer to be one of `others` is left out.
        """
        questions = [f"a photo of a {noun}" for noun in (*self.nouns, *self.others)]
        inputs = self.processor(text=[questions], images=picture, do_rescale=False, return_tensors="pt")
        outputs = self.model(**inputs.to(self.model.device))
        size = [tuple(picture.shape[1:])]  # the picture's own: the processor undoes its padding to a square
        found = self.processor.post_process_grounded_object_detection(outputs, OPEN_SCORE, size)[0]
        boxes, labels, scores = clip_boxes(found["boxes"].cpu(), *size[0]), found["labels"].cpu(), found["scores"].cpu()
        kept = nms(boxes, scores, OPEN_OVERLAP)
        kept = kept[(labels[kept] < len(self.nouns)) & (box_area(boxes[kept]) > 0)]  # a box of no area was in the padding
        return {"boxes": boxes[kept], "labels": labels[kept], "scores": scores[kept]}


def clip_boxes(boxes: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Boxes `[n, 4]` cut at the picture's sides: what was padded is no part of it."""
    return torch.minimum(boxes.clamp(min=0), boxes.new_tensor([width, height, width, height]))


def load_open_detector(source: Part, device: torch.device, nouns: tuple[str, ...], others: tuple[str, ...]) -> OpenDetector:
    """OWLv2 of a folder or a hub's name at its revision, on `device`; InputError if it cannot be had."""
    with loading("judge", source):
        model = Owlv2ForObjectDetection.from_pretrained(where(source), revision=source.revision, use_safetensors=True)
        processor = Owlv2Processor.from_pretrained(where(source), revision=source.revision)
    return OpenDetector(model.to(device).eval().requires_grad_(False), processor, nouns, others)
