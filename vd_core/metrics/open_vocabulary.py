"""OWLv2 (arXiv:2306.09683): a detector that is asked for any noun."""

from dataclasses import dataclass

import torch
from torchvision.ops import nms
from transformers import Owlv2ForObjectDetection, Owlv2Processor

from vd_core.settings import Part

OPEN_SCORE = 0.1
"""The model card's threshold."""

OPEN_OVERLAP = 0.7
"""Neighboring patches find one thing twice; of two boxes that overlap by more (intersection over union) the surer one counts."""


@dataclass(frozen=True)
class OpenDetector:
    """OWLv2 and its processor."""

    model: Owlv2ForObjectDetection
    processor: Owlv2Processor

    @torch.no_grad()
    def find(self, picture: torch.Tensor, noun: str) -> dict[str, torch.Tensor]:
        """What `picture` `[3, h, w]` in 0..1 shows of `noun`, surest first, on the CPU: `boxes` `[n, 4]` in its pixels, `scores` `[n]`."""
        inputs = self.processor(text=[[f"a photo of a {noun}"]], images=picture, do_rescale=False, return_tensors="pt")
        outputs = self.model(**inputs.to(self.model.device))
        size = [tuple(picture.shape[1:])]  # the picture's own: the processor undoes its padding to a square
        found = self.processor.post_process_grounded_object_detection(outputs, OPEN_SCORE, size)[0]
        boxes, scores = clip_boxes(found["boxes"].cpu(), *size[0]), found["scores"].cpu()
        kept = nms(boxes, scores, OPEN_OVERLAP)
        return {"boxes": boxes[kept], "scores": scores[kept]}


def clip_boxes(boxes: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Boxes `[n, 4]` cut at the picture's sides: what was padded is no part of it."""
    return torch.minimum(boxes.clamp(min=0), boxes.new_tensor([width, height, width, height]))


def load_open_detector(source: Part, device: torch.device) -> OpenDetector:
    """OWLv2 of a folder or a hub's name at its revision; OSError if it cannot be had."""
    model = Owlv2ForObjectDetection.from_pretrained(source.path, revision=source.revision, use_safetensors=True)
    processor = Owlv2Processor.from_pretrained(source.path, revision=source.revision)
    return OpenDetector(model.to(device).eval().requires_grad_(False), processor)
