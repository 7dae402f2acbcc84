"""Words that the embedded base's text encoder cannot tell apart, put where it can: the rare ones (its "sks"), and left and right."""

import torch
from transformers import CLIPTextModel, CLIPTokenizer

from vd_core.toybox.world.scenes import KINDS, RARE_WORDS, vocabulary

DIRECTIONS = ("left", "right")
CANDIDATES = 1024


def place_rare_words(text_encoder: CLIPTextModel, tokenizer: CLIPTokenizer) -> None:
    """Give the words without a meaning, for a finetuning to bind to, embeddings that the text encoder can tell apart, in place.

    Captions use them for toys of any looks, so the encoder learns to ignore them all: "a sks dog" was "a krk dog" to two percent, and a
    finetuning can bind nothing to them. A large model's rare words are not like that.
    """
    place_words(text_encoder, tokenizer, RARE_WORDS, [f"a {{}} {kind}" for kind in KINDS], tail=2)  # the noun, and the end


def place_directions(text_encoder: CLIPTextModel, tokenizer: CLIPTokenizer) -> None:
    """The same for left and right, in place; a U-Net must learn them anew afterwards.

    Little in a picture tells one from the other, so contrastive training left them alike ("left" was "right" to 17% where it stands, and to 4%
    and less from the next words on), and a U-Net on it drew the same picture for both.
    """
    place_words(text_encoder, tokenizer, DIRECTIONS, [f"a {kind} sliding to the {{}} on the beach" for kind in KINDS], tail=5)


@torch.no_grad()
def place_words(text_encoder: CLIPTextModel, tokenizer: CLIPTokenizer, words: tuple[str, ...], sentences: list[str], tail: int) -> None:
    """Of random mixtures of the other words' embeddings give `words` those whose sentences lie farthest apart, in place.

    Each of `sentences` has a {} for the word, and all are as long; how they read is their last `tail` hidden states, `[sentences, tail, width]`.
    """
    embeddings = text_encoder.get_input_embeddings().weight
    others = sorted({*vocabulary()} - {*RARE_WORDS} - {*words})
    placed, said = (tokenizer.convert_tokens_to_ids([f"{w}</w>" for w in some]) for some in (words, others))
    known = embeddings[said]
    directions = torch.randn(CANDIDATES, len(said), generator=torch.Generator().manual_seed(0)) @ (known - known.mean(0))
    mixtures = known.mean(0) + directions / directions.norm(dim=1, keepdim=True) * known.norm(dim=1).mean()
    ids = tokenizer([s.format(words[0]) for s in sentences], return_tensors="pt").input_ids
    read = []
    for mixture in mixtures:
        embeddings[placed[0]] = mixture
        read.append(text_encoder(ids).last_hidden_state[:, -tail:].flatten())
    embeddings[placed] = mixtures[choose_far_apart(torch.stack(read), len(placed))]


def choose_far_apart(points: torch.Tensor, count: int) -> list[int]:
    """`count` of the points `[n, d]`: the one farthest from their mean, then always the one farthest from all that are chosen."""
    distances = (points - points.mean(0)).norm(dim=1)
    chosen = [int(distances.argmax())]
    nearest = (points - points[chosen[0]]).norm(dim=1)
    while len(chosen) < count:
        chosen.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, (points - points[chosen[-1]]).norm(dim=1))
    return chosen
