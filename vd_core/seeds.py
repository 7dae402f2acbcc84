"""Random numbers by name: a key (what, seed, step, frame, ...) is hashed into a seed, so that no two things of a run draw the same numbers."""

import hashlib

import torch

SEED_BITS = 32
"""torch's CPU generator keeps no more of a seed: `manual_seed(1 << 32)` draws what `manual_seed(0)` draws."""


def seed_for(*key: str | int) -> int:
    """The seed, 0 to 2^32 - 1, of what `key` names. Two keys share one by chance alone: once in 2^32 pairs."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=SEED_BITS // 8)
    return int.from_bytes(digest.digest(), "big")


def generator_for(*key: str | int) -> torch.Generator:
    """A generator on the CPU, so that a key means the same numbers on every device."""
    return torch.Generator().manual_seed(seed_for(*key))
