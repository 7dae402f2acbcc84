"""CLIP's real tokenizer, from the merges in open_clip's wheel."""

import functools
import tempfile
from pathlib import Path

from transformers import CLIPTokenizer

from vd_core.bases.published import Name, copy_configurations


@functools.cache
def clip_tokenizer(name: Name = "sd15") -> CLIPTokenizer:
    """The tokenizer as a published base has it."""
    with tempfile.TemporaryDirectory() as folder:
        copy_configurations(name, Path(folder))
        return CLIPTokenizer.from_pretrained(Path(folder) / "tokenizer")
