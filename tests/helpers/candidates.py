"""Candidates as the sample stage leaves them, of noise."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from vd_core.files import sha256_of


def write_candidates(folder: Path, count: int) -> None:
    """`count` candidates in `folder`."""
    folder.mkdir(parents=True)
    rows = []
    for n in range(1, count + 1):
        Image.fromarray(np.random.default_rng(n).integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(folder / f"{n:03d}.png")
        rows.append(
            {"number": n, "file": f"{n:03d}.png", "prompt": "a", "seed": n, "sha256": sha256_of(folder / f"{n:03d}.png"), "figures": {}}
        )
    (folder / "candidates.json").write_text(json.dumps(rows))
