"""Pictures of cut-outs (`mix.cutouts`), as the mix stage writes them and finetuning reads them."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from vd_core.files import write_json
from vd_core.inputs.pictures import load_numbered
from vd_core.inputs.scattering import Scattered

BOXES = "boxes.json"


def write_scattered(scattered: list[Scattered], folder: Path) -> None:
    """Numbered PNGs and the boxes."""
    folder.mkdir(parents=True)
    for i, own in enumerate(scattered):
        Image.fromarray(own.picture).save(folder / f"{i:03d}.png")
    write_json(folder / BOXES, [own.boxes for own in scattered])


def read_scattered(folder: Path) -> list[Scattered]:
    """What `write_scattered` wrote."""
    boxes = json.loads((folder / BOXES).read_text())
    pictures = [np.array(p) for p in load_numbered(folder)]
    return [Scattered(p, tuple(tuple(box) for box in own)) for p, own in zip(pictures, boxes, strict=True)]
