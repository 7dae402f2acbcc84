"""Training of the accessory reader, on the crops of drawn toys."""

from pathlib import Path

import torch
import torch.nn.functional as F

from vd_core.toybox.pretraining.judges import to_unit
from vd_core.toybox.pretraining.reader_training import draw_crops
from vd_core.toybox.pretraining.trainer import fit
from vd_core.toybox.reading.accessories import WORN, AccessoryReader
from vd_core.toybox.world.scenes import Toy

SEED = 850_000_000


def worn_labels(toys: list[Toy]) -> torch.Tensor:
    """What toys truly wear, as indices into WORN, `[b]`."""
    return torch.tensor([WORN.index(t.accessory) for t in toys])


def train_accessories(folder: Path, steps: int, batch: int = 32) -> Path:
    """The cross-entropy of what toys wear."""
    torch.manual_seed(7)
    reader = AccessoryReader().to(memory_format=torch.channels_last)

    def loss_fn(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        _, _, crops, toys, _ = draw_crops(SEED + step * batch, batch)
        logits, labels = reader(to_unit(crops)).float(), worn_labels(toys)
        return {"loss": F.cross_entropy(logits, labels), "right": (logits.argmax(1) == labels).float().mean()}

    return fit("accessory reader", reader, loss_fn, folder, steps, peak_lr=1e-3, ema_decay=0.995)
