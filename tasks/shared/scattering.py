"""Pictures of cut-outs (`mix.cutouts`), as the mix stage writes them and finetuning reads them."""

from pathlib import Path

import numpy as np
from PIL import Image

from tasks.shared.paths import run_folder
from tasks.shared.prepared import read_json
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


def read_scattered(name: str) -> list[Scattered]:
    """What the mix stage wrote; InputError if it has not run, or ran before there were cut-outs."""
    folder = run_folder(name, "mix") / "mixed" / "cutouts"
    boxes = read_json(folder / BOXES, name)
    pictures = [np.array(p) for p in load_numbered(folder)]
    return [Scattered(p, tuple(tuple(box) for box in own)) for p, own in zip(pictures, boxes, strict=True)]
