"""What a detected toy wears: a hat, a scarf, a bow or nothing. It reads the drawn world alone; the weights are the embedded base's (models/toybox/judges)."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from vd_core.metrics.fidelity import crop_boxes, detect
from vd_core.metrics.judges import Judges
from vd_core.toybox.reading.reader import ATTRIBUTES, IDENTITY_SIZE, AttributeReader, conv_block
from vd_core.toybox.world.scenes import ACCESSORIES

WORN = (None, *ACCESSORIES)


class AccessoryReader(nn.Module):
    """A small convolutional net: toys' crops to what they wear."""

    def __init__(self) -> None:
        super().__init__()
        widths = ((3, 32, 1), (32, 48, 2), (48, 64, 1), (64, 96, 2))
        self.toy = nn.Sequential(*[conv_block(*w) for w in widths], nn.Flatten(), nn.Linear(96 * (IDENTITY_SIZE // 4) ** 2, len(WORN)))

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        """Logits `[b, 4]` of WORN for crops `[b, 3, IDENTITY_SIZE, IDENTITY_SIZE]` in 0..1."""
        return self.toy(crops * 2 - 1)


def load_accessory_reader(folder: Path) -> AccessoryReader:
    """The trained reader in a folder of judges."""
    reader = AccessoryReader()
    reader.load_state_dict({k: v.float() for k, v in load_file(folder / "accessories.safetensors").items()})
    return reader.eval()


@torch.no_grad()
def read_worn(judges: Judges, reader: AttributeReader, accessories: AccessoryReader, picture: Image.Image) -> list[tuple[str, str | None]]:
    """Every detected toy's kind, as the attribute reader reads it, and what it wears; highest score first."""
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255
    boxes = detect(judges, pixels[None])[0]["boxes"]
    if not len(boxes):
        return []
    crops = crop_boxes(pixels, boxes, IDENTITY_SIZE)
    kinds, worn = reader.read_toys(crops)["kind"].argmax(1).tolist(), accessories(crops).argmax(1).tolist()
    return [(ATTRIBUTES["kind"][k], WORN[w]) for k, w in zip(kinds, worn, strict=True)]


def wears_alone(found: list[tuple[str, str | None]], kinds: list[str], wearer: str, accessory: str) -> bool:
    """Whether all of `kinds` are there, and of all toys that were `found` those of the `wearer`'s kind alone wear something: the `accessory`."""
    worn = {kind: {w for k, w in found if k == kind} for kind in kinds}
    return all(own == ({accessory} if kind == wearer else {None}) for kind, own in worn.items())
