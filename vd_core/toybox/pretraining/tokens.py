"""The embedded base's tokenizer: every word of the drawn world is one token."""

from collections import Counter
from itertools import pairwise

import torch
from transformers import CLIPTokenizer

from vd_core.toybox.world.scenes import vocabulary

MAX_TOKENS = 48


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


def tokenize(tokenizer: CLIPTokenizer, texts: list[str]) -> torch.Tensor:
    """Token ids `[b, MAX_TOKENS]`, padded and cut."""
    return tokenizer(texts, padding="max_length", truncation=True, max_length=MAX_TOKENS, return_tensors="pt").input_ids
