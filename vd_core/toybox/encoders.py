"""The embedded base's CLIP: tokenizer, text and image encoder of one width, trained contrastively on drawn pictures and captions."""

import math
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, CLIPVisionConfig, CLIPVisionModelWithProjection

from vd_core.toybox.draw import SIZE, draw_scene
from vd_core.toybox.trainer import ema_weights, fit
from vd_core.toybox.world import caption, sample_scene, vocabulary

WIDTH = 192
MAX_TOKENS = 48
BATCH = 128
SEED, IMAGE_OFFSET = 200_000_000, 10_000_000
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def build_tokenizer() -> CLIPTokenizer:
    """A byte-pair `CLIPTokenizer` in which every word of the drawn world is one token; the same ids in every process."""
    merges = learn_merges(vocabulary())
    letters = [chr(c) for c in range(33, 127)]
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges)]
    vocab = {piece: i for i, piece in enumerate(dict.fromkeys([*pieces, "<|startoftext|>", "<|endoftext|>"]))}
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=MAX_TOKENS)


def learn_merges(words: list[str]) -> list[tuple[str, str]]:
    """Byte-pair merges, most frequent pair first and ties in alphabetical order, until every word is one piece.

    tokenizers' own trainer breaks ties at random, so that two processes disagreed about "cat" and "car".
    """
    split = [[*word[:-1], word[-1] + "</w>"] for word in words]
    merges: list[tuple[str, str]] = []
    while counts := Counter(pair for pieces in split for pair in pairwise(pieces)):
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        split = [merge_pair(pieces, best) for pieces in split]
    return merges


def merge_pair(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    """`pieces` with every occurrence of `pair` joined, from the left."""
    merged: list[str] = []
    for piece in pieces:
        if merged and (merged[-1], piece) == pair:
            merged[-1] += piece
        else:
            merged.append(piece)
    return merged


def build_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """An untrained text encoder for `tokenizer`."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            projection_dim=WIDTH,
            num_hidden_layers=4,
            num_attention_heads=3,
            max_position_embeddings=MAX_TOKENS,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def build_image_encoder() -> CLIPVisionModelWithProjection:
    """An untrained image encoder: 64 patches of 8 x 8 pixels."""
    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            projection_dim=WIDTH,
            num_hidden_layers=4,
            num_attention_heads=3,
            image_size=SIZE,
            patch_size=8,
        )
    )


class ContrastivePair(nn.Module):
    """Both encoders, the text projection that training alone needs, and the temperature."""

    def __init__(self, tokenizer: CLIPTokenizer):
        super().__init__()
        self.text_encoder = build_text_encoder(tokenizer)
        self.image_encoder = build_image_encoder()
        self.text_projection = nn.Linear(WIDTH, WIDTH, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def embed_text(self, input_ids: torch.Tensor) -> torch.Tensor:
        """Unit text embeddings `[b, WIDTH]` of token ids `[b, MAX_TOKENS]`."""
        return F.normalize(self.text_projection(self.text_encoder(input_ids).pooler_output).float(), dim=-1)

    def embed_images(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Unit image embeddings `[b, WIDTH]` of pictures `[b, 3, SIZE, SIZE]`, already normalised as CLIP's."""
        return F.normalize(self.image_encoder(pixel_values).image_embeds.float(), dim=-1)


def clip_pixels(pictures: np.ndarray) -> torch.Tensor:
    """uint8 `[b, h, w, 3]` to float32 `[b, 3, h, w]`, normalised with CLIP's own mean and standard deviation."""
    unit = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
    return (unit - torch.tensor(CLIP_MEAN)[:, None, None]) / torch.tensor(CLIP_STD)[:, None, None]


def tokenize(tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    """Token ids `[b, MAX_TOKENS]`, padded and cut."""
    return tokenizer(texts, padding="max_length", truncation=True, max_length=MAX_TOKENS, return_tensors="pt").input_ids


def draw_captioned(seed: int, count: int) -> tuple[np.ndarray, list[str]]:
    """`count` pictures uint8 `[count, SIZE, SIZE, 3]` from consecutive seeds, with a caption each."""
    scenes = [sample_scene(seed + i) for i in range(count)]
    captions = [caption(s, np.random.default_rng([s.seed, 9])) for s in scenes]
    return np.stack([draw_scene(s)[0] for s in scenes]), captions


def contrast(
    pair: ContrastivePair, tokenizer: CLIPTokenizer, seed: int, batch: int
) -> Callable[[int, torch.Generator], dict[str, torch.Tensor]]:
    """The loss of a step over `batch` drawn pictures and their captions, from `seed` on."""

    def loss_fn(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        pictures, captions = draw_captioned(seed + step * batch, batch)
        images, texts = pair.embed_images(clip_pixels(pictures)), pair.embed_text(tokenize(tokenizer, captions))
        logits = pair.logit_scale.exp().clamp(max=100) * images @ texts.T
        labels = torch.arange(batch)
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
    """The same on from `start` with the text encoder frozen, as it came out of the U-Net's training: image encoder and text projection follow it."""
    start.requires_grad_(True).text_encoder.requires_grad_(False)
    tokenizer = build_tokenizer()
    return fit("image encoder", start, contrast(start, tokenizer, SEED + IMAGE_OFFSET, batch), folder, steps, peak_lr=1e-3, ema_decay=0.995)


def load_trained_encoders(state: Path) -> tuple[CLIPTokenizer, ContrastivePair]:
    """The tokenizer and the averaged, frozen pair."""
    tokenizer = build_tokenizer()
    pair = ContrastivePair(tokenizer)
    pair.load_state_dict(ema_weights(state))
    return tokenizer, pair.eval().requires_grad_(False)
