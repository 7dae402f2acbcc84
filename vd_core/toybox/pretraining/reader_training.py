"""Training of the attribute reader, on the crops of drawn toys."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from vd_core.toybox.pretraining.judges import Weights, crop_box, to_unit
from vd_core.toybox.pretraining.trainer import fit
from vd_core.toybox.reading.reader import ATTRIBUTES, AttributeReader
from vd_core.toybox.world.draw import SIZE, draw_scene, pose_at
from vd_core.toybox.world.scenes import BACKGROUNDS, Scene, Toy, sample_scene, sample_toy

SEED, LARGE_SEED = 800_000_000, 880_000_000
LARGE, LARGE_GROUND = (0.5, 1.0), (0.8, 1.0)
"""Heights of toys that hide most of their place, and where they stand, in picture heights."""


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


def sample_large(seed: int) -> Scene:
    """One to three toys that hide most of their place, over each other if there is no room."""
    rng = np.random.default_rng([seed, 79])
    count = int(rng.integers(1, 4))
    spots = (np.arange(count) + rng.uniform(0.3, 0.7, count)) / count
    sizes, grounds = rng.uniform(*LARGE, count), rng.uniform(*LARGE_GROUND, count)
    toys = [
        replace(sample_toy(rng), x=float(x), ground=float(ground), size=float(size))
        for x, size, ground in zip(spots, sizes, grounds, strict=True)
    ]
    return Scene(tuple(toys), str(rng.choice(list(BACKGROUNDS))), seed)


def draw_large(seed: int, count: int) -> tuple[np.ndarray, list[str]]:
    """`count` pictures of large toys from consecutive seeds, and their backgrounds."""
    scenes = [sample_large(seed + i) for i in range(count)]
    return np.stack([draw_scene(scene)[0] for scene in scenes]), [scene.background for scene in scenes]


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


def train_places(folder: Path, steps: int, start: Weights, batch: int = 16) -> Path:
    """The reader of backgrounds alone, on from the weights `start`: half of the pictures are of toys that hide most of them. What reads toys stays."""
    torch.manual_seed(8)
    reader = AttributeReader().to(memory_format=torch.channels_last)
    reader.load_state_dict(start)
    reader.requires_grad_(False).scene.requires_grad_(True)
    names = list(BACKGROUNDS)

    def loss_fn(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        pictures, backgrounds, *_ = draw_crops(SEED + step * batch, batch)
        large, behind = draw_large(LARGE_SEED + step * batch, batch)
        logits = reader.read_backgrounds(to_unit(np.concatenate([pictures, large]))).float()
        labels = torch.tensor([names.index(b) for b in [*backgrounds, *behind]])
        right = (logits.argmax(1) == labels).float()
        return {"loss": F.cross_entropy(logits, labels), "right": right[:batch].mean(), "right_large": right[batch:].mean()}

    return fit("place reader", reader, loss_fn, folder, steps, peak_lr=1e-3, ema_decay=0.995)
