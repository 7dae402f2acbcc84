"""The attribute reader: kind, colours and pattern of a detected toy, and the background. It exists in the drawn world alone."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from vd_core.metrics.fidelity import crop_boxes, detect
from vd_core.metrics.judges import Judges
from vd_core.toybox.world.scenes import BACKGROUNDS, COLOURS, KINDS, PATTERNS

IDENTITY_SIZE = 32
ATTRIBUTES = {"kind": KINDS, "colour": tuple(COLOURS), "trim": tuple(COLOURS), "pattern": PATTERNS}


def conv_block(channels: int, out: int, stride: int) -> nn.Sequential:
    """Convolution, group norm, SiLU."""
    return nn.Sequential(nn.Conv2d(channels, out, 3, stride, 1), nn.GroupNorm(8, out), nn.SiLU())


class AttributeReader(nn.Module):
    """Two small convolutional nets: toys' crops to attributes, whole pictures to backgrounds."""

    def __init__(self) -> None:
        super().__init__()
        widths = ((3, 32, 1), (32, 64, 2), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 192, 2))
        self.toy = nn.Sequential(*[conv_block(*w) for w in widths], nn.Flatten(), nn.Linear(192 * 16, 256), nn.SiLU())
        self.heads = nn.ModuleDict({name: nn.Linear(256, len(values)) for name, values in ATTRIBUTES.items()})
        self.turn = nn.Linear(256, 2)
        scene = ((3, 24, 2), (24, 48, 2), (48, 64, 2))
        self.scene = nn.Sequential(*[conv_block(*w) for w in scene], nn.Flatten(), nn.Linear(64 * 64, len(BACKGROUNDS)))

    def read_toys(self, crops: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits of every attribute for crops `[b, 3, IDENTITY_SIZE, IDENTITY_SIZE]` in 0..1."""
        features = self.toy(crops * 2 - 1)
        return {name: head(features) for name, head in self.heads.items()}

    def read_angles(self, crops: torch.Tensor) -> torch.Tensor:
        """How far toys are turned, as unit (cos, sin) `[b, 2]`, of crops `[b, 3, IDENTITY_SIZE, IDENTITY_SIZE]` in 0..1."""
        return F.normalize(self.turn(self.toy(crops * 2 - 1)).float(), dim=-1)

    def read_backgrounds(self, pictures: torch.Tensor) -> torch.Tensor:
        """Logits `[b, 8]` for pictures `[b, 3, SIZE, SIZE]` in 0..1."""
        return self.scene(pictures * 2 - 1)


def load_reader(folder: Path) -> AttributeReader:
    """The trained reader in a folder of judges."""
    reader = AttributeReader()
    reader.load_state_dict({k: v.float() for k, v in load_file(folder / "reader.safetensors").items()})
    return reader.eval()


@torch.no_grad()
def read_picture(judges: Judges, reader: AttributeReader, picture: Image.Image) -> list[dict[str, str]]:
    """The attributes of every detected toy, highest score first; the kind is the reader's."""
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255
    boxes = detect(judges, pixels[None])[0]["boxes"]
    if not len(boxes):
        return []
    logits = reader.read_toys(crop_boxes(pixels, boxes, IDENTITY_SIZE))
    read = {name: logits[name].argmax(1).tolist() for name in ATTRIBUTES}
    return [{name: ATTRIBUTES[name][read[name][i]] for name in ATTRIBUTES} for i in range(len(boxes))]
