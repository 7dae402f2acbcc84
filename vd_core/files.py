"""Files that are never half written, and hashes that name what something holds."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` if the block ends well; otherwise `path` stays as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        yield aside
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in one step."""
    with replacing(path) as aside:
        aside.write_text(text)


def write_json(path: Path, content: Any) -> None:
    """Write plain values as JSON in one step."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def sha256_of(path: Path) -> str:
    """A file's sha256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


SAMPLED = 1024


def sampled_fingerprint(tensors: Iterable[torch.Tensor]) -> str:
    """A sha256 of the shapes and of some evenly spread values of each tensor: tells other weights apart without reading gigabytes."""
    tensors = list(tensors)
    values = [t.detach().flatten()[:: max(1, t.numel() // SAMPLED)].float() for t in tensors]
    return fingerprint_of({"shapes": [list(t.shape) for t in tensors]}, values)


def fingerprint_of(settings: dict, tensors: Iterable[torch.Tensor]) -> str:
    """A sha256 of plain values and tensors."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for tensor in tensors:
        content = tensor.detach().cpu().contiguous()
        digest.update((content.float() if content.dtype == torch.bfloat16 else content).numpy().tobytes())
    return digest.hexdigest()
