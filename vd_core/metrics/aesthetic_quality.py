"""Aesthetic quality: how beautiful people would find the frames, by LAION's predictor."""

from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from transformers import CLIPVisionModelWithProjection

from vd_core.bases.hub import first_line, loading, where
from vd_core.errors import InputError
from vd_core.metrics.judges import OPENAI_MEAN, OPENAI_STD, normalise
from vd_core.settings import Aesthetic

HEAD_URL = "https://github.com/LAION-AI/aesthetic-predictor/raw/7e37768a02b0863eac390a702903aaa90ecf938e/sa_0_4_vit_l_14_linear.pth"


@dataclass(frozen=True)
class AestheticJudge:
    """CLIP's image encoder and the linear head over its embeddings, both on `device`."""

    device: torch.device
    encoder: CLIPVisionModelWithProjection
    head: nn.Linear


@torch.no_grad()
def aesthetic_quality(judge: AestheticJudge, frames: torch.Tensor) -> float:
    """VBench's aesthetic_quality (arXiv:2311.17982) of frames `[f, 3, h, w]` in 0..1: the predicted rating of 0 to 10, as a share; higher is better.

    LAION's linear head (MIT) on unit embeddings of OpenAI's CLIP ViT-L/14 (MIT), mean over the frames. A frame is resized to the encoder's
    square; VBench crops its middle, which is the same for square frames.
    """
    size = judge.encoder.config.image_size
    pixels = normalise(frames.to(judge.device), size, OPENAI_MEAN, OPENAI_STD)
    embeddings = F.normalize(judge.encoder(pixels).image_embeds, dim=-1)
    return float(judge.head(embeddings).mean()) / 10


def load_aesthetic(settings: Aesthetic, device: torch.device) -> AestheticJudge:
    """The judge on `device`; InputError in one line if the head is not there or does not fit, or CLIP cannot be had."""
    head = load_head(Path(settings.head))
    with loading("aesthetic judge", settings.clip):
        encoder = CLIPVisionModelWithProjection.from_pretrained(where(settings.clip), revision=settings.clip.revision, use_safetensors=True)
    if encoder.config.projection_dim != head.in_features:
        widths = f"{head.in_features} wide and {settings.clip.path} {encoder.config.projection_dim}"
        raise InputError(f"{settings.head} is {widths}; take the head of that CLIP from {HEAD_URL}")
    for module in (encoder, head):
        module.to(device).eval().requires_grad_(False)
    return AestheticJudge(device, encoder, head)


def load_head(path: Path) -> nn.Linear:
    """A linear head's `weight` `[1, d]` and `bias` `[1]`, of a safetensors file or of one that torch reads as weights alone."""
    if not path.is_file():
        raise InputError(f"{path} is missing; put {HEAD_URL} there")
    try:
        weights = load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
        head = nn.Linear(weights["weight"].shape[1], 1)
        head.load_state_dict(weights)
    except (OSError, RuntimeError, KeyError, IndexError, TypeError, AttributeError, EOFError, UnpicklingError, SafetensorError) as error:
        raise InputError(f"{path} is no linear head ({first_line(error)}); put {HEAD_URL} there") from error
    return head
