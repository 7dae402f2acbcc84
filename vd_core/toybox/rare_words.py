"""Words without a meaning, for a finetuning to bind to: the embedded base's "sks"."""

import torch
from transformers import CLIPTextModel, CLIPTokenizer

from vd_core.toybox.world import KINDS, RARE_WORDS, vocabulary


@torch.no_grad()
def place_rare_words(text_encoder: CLIPTextModel, tokenizer: CLIPTokenizer, candidates: int = 1024) -> None:
    """Give the rare words embeddings that the text encoder can tell apart, in place.

    Captions say them of toys of any looks, so it learns to pass over them all alike: "a sks dog" was "a krk dog" to two percent, and a
    finetuning can bind nothing to them. A large model's rare words are not like that. Of random mixtures of the other words' embeddings those
    are taken whose sentences lie farthest apart.
    """
    embeddings = text_encoder.get_input_embeddings().weight
    rare, said = (
        tokenizer.convert_tokens_to_ids([f"{w}</w>" for w in words]) for words in (RARE_WORDS, sorted({*vocabulary()} - {*RARE_WORDS}))
    )
    known = embeddings[said]
    directions = torch.randn(candidates, len(said), generator=torch.Generator().manual_seed(0)) @ (known - known.mean(0))
    mixtures = known.mean(0) + directions / directions.norm(dim=1, keepdim=True) * known.norm(dim=1).mean()
    sentences = []
    ids = tokenizer([f"a {RARE_WORDS[0]} {kind}" for kind in KINDS], return_tensors="pt").input_ids
    for mixture in mixtures:
        embeddings[rare[0]] = mixture
        sentences.append(text_encoder(ids).last_hidden_state[:, -2:].flatten())  # the noun's, and the end's
    embeddings[rare] = mixtures[choose_far_apart(torch.stack(sentences), len(rare))]


def choose_far_apart(points: torch.Tensor, count: int) -> list[int]:
    """`count` of the points `[n, d]`: the one farthest from their mean, then always the one farthest from all that are chosen."""
    distances = (points - points.mean(0)).norm(dim=1)
    chosen = [int(distances.argmax())]
    nearest = (points - points[chosen[0]]).norm(dim=1)
    while len(chosen) < count:
        chosen.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, (points - points[chosen[-1]]).norm(dim=1))
    return chosen
