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
from vd_core.toybox.draw import SIZE, draw_scene, pose_at
from vd_core.toybox.judges import IDENTITY_SIZE, Weights, crop_box, to_unit
from vd_core.toybox.trainer import fit
from vd_core.toybox.world import BACKGROUNDS, COLOURS, KINDS, PATTERNS, Toy, sample_scene

SEED = 800_000_000
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
    """The attributes of every detected toy, surest first; the kind is the reader's."""
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255
    boxes = detect(judges, pixels[None])[0]["boxes"]
    if not len(boxes):
        return []
    logits = reader.read_toys(crop_boxes(pixels, boxes, IDENTITY_SIZE))
    read = {name: logits[name].argmax(1).tolist() for name in ATTRIBUTES}
    return [{name: ATTRIBUTES[name][read[name][i]] for name in ATTRIBUTES} for i in range(len(boxes))]


def attribute_labels(toys: list[Toy]) -> dict[str, torch.Tensor]:
    """The true classes of toys, `[b]` an attribute."""
    return {name: torch.tensor([values.index(getattr(t, name)) for t in toys]) for name, values in ATTRIBUTES.items()}


def true_angles(toys: list[Toy], phases: list[float]) -> torch.Tensor:
    """The true turns as (cos, sin) `[b, 2]`."""
    angles = torch.tensor([np.deg2rad(t.tilt + pose_at(t, p).angle) for t, p in zip(toys, phases, strict=True)])
    return torch.stack([angles.cos(), angles.sin()], dim=1).float()


def draw_crops(seed: int, count: int) -> tuple[np.ndarray, list[str], np.ndarray, list[Toy], list[float]]:
    """`count` scenes from consecutive seeds: pictures, backgrounds, and the crops of all their toys, with the toys and their phases."""
    pictures, backgrounds, crops, toys, phases = [], [], [], [], []
    for i in range(seed, seed + count):
        scene = sample_scene(i, collages=False)
        picture, boxes = draw_scene(scene)
        rng = np.random.default_rng([i, 8])
        pictures.append(picture)
        backgrounds.append(scene.background)
        crops += [crop_box(picture, np.clip(box, 0, SIZE), rng) for box in boxes]
        toys += scene.toys
        phases += [scene.phase] * len(scene.toys)
    return np.stack(pictures), backgrounds, np.stack(crops), toys, phases


def train_reader(folder: Path, steps: int, start: Weights | None = None, batch: int = 32) -> Path:
    """The sum of every attribute's cross-entropy."""
    torch.manual_seed(6)
    reader = AttributeReader().to(memory_format=torch.channels_last)
    reader.load_state_dict(start or reader.state_dict())
    names = list(BACKGROUNDS)

    def loss_fn(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        pictures, backgrounds, crops, toys, phases = draw_crops(SEED + step * batch, batch)
        logits, labels = reader.read_toys(to_unit(crops)), attribute_labels(toys)
        losses = {name: F.cross_entropy(logits[name].float(), labels[name]) for name in ATTRIBUTES}
        losses["angle"] = 1 - (reader.read_angles(to_unit(crops)) * true_angles(toys, phases)).sum(1).mean()
        truth = torch.tensor([names.index(b) for b in backgrounds])
        losses["background"] = F.cross_entropy(reader.read_backgrounds(to_unit(pictures)).float(), truth)
        return {"loss": sum(losses.values()), **losses}

    return fit("attribute reader", reader, loss_fn, folder, steps, peak_lr=1e-3, ema_decay=0.995)
