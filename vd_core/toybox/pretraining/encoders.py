"""The embedded base's CLIP: text and image encoder of one width, and the head over the text's states."""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, CLIPVisionConfig, CLIPVisionModelWithProjection

from vd_core.toybox.pretraining.tokens import MAX_TOKENS
from vd_core.toybox.world.draw import SIZE

WIDTH = 192
TEXT_HEAD = "judges/text_head.safetensors"


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


class TextHead(nn.Module):
    """The text encoder's states into one embedding: a transformer layer, the mean over the caption's words, a projection.

    The state that the text encoder pools says the order in which a caption names its toys almost as loudly as another colour, which no picture
    shows and no projection undoes. Here the order says little. What belongs to what says as little still: among drawn pictures chance never
    asks to tell "a red dog and a blue cat" from the same with the colours exchanged.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(WIDTH, 3, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
        self.projection = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, states: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        """`[b, WIDTH]` of states `[b, tokens, WIDTH]`, over the tokens for which `words` `[b, tokens]` is true."""
        states = self.layer(states, src_key_padding_mask=~words)
        weights = words[..., None].to(states.dtype)
        return self.projection((states * weights).sum(1) / weights.sum(1))


def embed_captions(text_encoder: CLIPTextModel, head: TextHead, input_ids: torch.Tensor) -> torch.Tensor:
    """Unit text embeddings `[b, WIDTH]` of token ids `[b, tokens]`; the padding, which no word attends to, is left away."""
    words = input_ids != text_encoder.config.eos_token_id
    longest = int(words.sum(1).max())
    input_ids, words = input_ids[:, :longest], words[:, :longest]
    return F.normalize(head(text_encoder(input_ids).last_hidden_state, words).float(), dim=-1)


def save_text_head(head: TextHead, folder: Path) -> None:
    """`head` in float16 into the base in `folder`: beside its judges, since Stable Diffusion's folder has no place for it."""
    save_file({k: v.half().contiguous() for k, v in head.state_dict().items()}, folder / TEXT_HEAD)


def load_text_head(folder: Path) -> TextHead:
    """The frozen text head of the base in `folder`, float32."""
    head = TextHead()
    head.load_state_dict({k: v.float() for k, v in load_file(folder / TEXT_HEAD).items()})
    return head.eval().requires_grad_(False)
