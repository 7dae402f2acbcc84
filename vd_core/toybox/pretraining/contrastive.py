"""The contrastive training of the embedded base's CLIP, on drawn pictures and their captions."""

import math
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import CLIPTokenizer

from vd_core.toybox.pretraining.encoders import TextHead, build_image_encoder, build_text_encoder, embed_captions
from vd_core.toybox.pretraining.tokens import build_tokenizer, tokenize
from vd_core.toybox.pretraining.trainer import ema_weights, fit
from vd_core.toybox.world.draw import draw_scene
from vd_core.toybox.world.scenes import Scene, caption, sample_scene

BATCH = 128
SEED, IMAGE_OFFSET = 200_000_000, 10_000_000
USES, APART = 4, 100  # how often a training sees a picture, and how many steps lie between
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class ContrastivePair(nn.Module):
    """Both encoders, the head over the text's states that retrieval alone needs, and the temperature."""

    def __init__(self, tokenizer: CLIPTokenizer):
        super().__init__()
        self.text_encoder = build_text_encoder(tokenizer)
        self.image_encoder = build_image_encoder()
        self.text_head = TextHead()
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def embed_text(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Unit text embeddings `[b, WIDTH]` of token ids `[b, MAX_TOKENS]`."""
        return embed_captions(self.text_encoder, self.text_head, input_ids)

    def embed_images(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Unit image embeddings `[b, WIDTH]` of pictures `[b, 3, SIZE, SIZE]`, already normalized as CLIP's."""
        return F.normalize(self.image_encoder(pixel_values).image_embeds.float(), dim=-1)


def clip_pixels(pictures: np.ndarray) -> torch.Tensor:
    """uint8 `[b, h, w, 3]` to float32 `[b, 3, h, w]`, normalized with CLIP's own mean and standard deviation."""
    unit = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    return (unit - torch.tensor(CLIP_MEAN)[:, None, None]) / torch.tensor(CLIP_STD)[:, None, None]


def draw_scenes(seed: int, count: int) -> tuple[list[Scene], np.ndarray]:
    """`count` scenes from consecutive seeds, and their pictures uint8 `[count, SIZE, SIZE, 3]`."""
    scenes = [sample_scene(seed + i) for i in range(count)]
    return scenes, np.stack([draw_scene(s)[0] for s in scenes])


keep_scenes = lru_cache(maxsize=4 * USES * APART // 3)(draw_scenes)
"""The same, kept until a training has seen them all its times: drawing costs a quarter of a step."""


def draw_captioned(seed: int, count: int) -> tuple[np.ndarray, list[str]]:
    """`count` pictures uint8 `[count, SIZE, SIZE, 3]` from consecutive seeds, with a caption each."""
    scenes, pictures = draw_scenes(seed, count)
    return pictures, [caption(s, np.random.default_rng([s.seed, 9])) for s in scenes]


def draw_captioned_batch(seed: int, step: int, batch: int) -> tuple[np.ndarray, list[str]]:
    """A step's pictures uint8 `[batch, SIZE, SIZE, 3]` and fresh captions of them: a quarter is new, the rest was new 100, 200 and 300 steps before."""
    count = batch // USES
    blocks = [keep_scenes(seed + count * (step + APART * use), count) for use in range(USES)]
    rng = np.random.default_rng([step, 9])
    return np.concatenate([pictures for _, pictures in blocks]), [caption(s, rng) for scenes, _ in blocks for s in scenes]


def contrast(
    pair: ContrastivePair, tokenizer: CLIPTokenizer, seed: int, batch: int
) -> Callable[[int, torch.Generator], dict[str, torch.Tensor]]:
    """The loss of a step over `batch` drawn pictures and their captions, from `seed` on."""

    def loss_fn(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        pictures, captions = draw_captioned_batch(seed, step, batch)
        images, texts = pair.embed_images(clip_pixels(pictures)), pair.embed_text(tokenize(tokenizer, captions))
        logits = pair.logit_scale.exp().clamp(max=100) * images @ texts.T
        labels = torch.arange(len(captions))
        loss = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
        return {"loss": loss, "retrieval": (logits.argmax(0) == labels).float().mean()}

    return loss_fn


def train_encoders(folder: Path, steps: int, batch: int = BATCH) -> Path:
    """CLIP's symmetric cross-entropy over each batch's pairs."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    pair = ContrastivePair(tokenizer)

    return fit("encoders", pair, contrast(pair, tokenizer, SEED, batch), folder, steps, peak_lr=1e-3, ema_decay=0.995)


def train_image_encoder(folder: Path, steps: int, start: ContrastivePair, batch: int = BATCH) -> Path:
    """The same on from `start` with the text encoder frozen, as it came out of the U-Net's training: image encoder and text head follow it."""
    start.requires_grad_(True).text_encoder.requires_grad_(False)
    tokenizer = build_tokenizer()
    return fit("image encoder", start, contrast(start, tokenizer, SEED + IMAGE_OFFSET, batch), folder, steps, peak_lr=1e-3, ema_decay=0.995)


def load_trained_encoders(state: Path) -> tuple[CLIPTokenizer, ContrastivePair]:
    """The tokenizer and the averaged, frozen pair."""
    tokenizer = build_tokenizer()
    pair = ContrastivePair(tokenizer)
    pair.load_state_dict(ema_weights(state))
    return tokenizer, pair.eval().requires_grad_(False)
