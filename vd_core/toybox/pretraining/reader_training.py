"""Training of the attribute reader, on the crops of drawn toys."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from vd_core.toybox.pretraining.judges import Weights, crop_box, to_unit
from vd_core.toybox.pretraining.trainer import fit
from vd_core.toybox.reading.reader import ATTRIBUTES, AttributeReader
from vd_core.toybox.world.draw import SIZE, draw_scene, pose_at
from vd_core.toybox.world.scenes import BACKGROUNDS, Toy, sample_scene

SEED = 800_000_000


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
