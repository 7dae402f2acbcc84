"""The visual adapter of Eq. 7: what is particular to a mixed picture, as an embedding."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn


class VisualAdapter(nn.Module):
    """Eq. 7: f_j = Adapter(E_I(x_mix,j)), a masked MLP with a skip connection.

    m = sigmoid(mask) * f;  f_j = Linear(ReLU(Linear(m))) + m. The mask starts at zero.
    """

    def __init__(self, width: int):
        super().__init__()
        self.mask = nn.Parameter(torch.zeros(width))
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, image_embeds: torch.Tensor) -> torch.Tensor:
        """Image embeddings `[b, width]` to image-specific embeddings f_j `[b, width]`."""
        masked = self.mask.sigmoid() * image_embeds
        return self.mlp(masked) + masked


def save_visual_adapter(adapter: VisualAdapter, folder: Path) -> None:
    """Write the visual adapter beside the LoRA; it serves re-finetuning and never generation."""
    width = adapter.mask.numel()
    save_file({k: v.cpu() for k, v in adapter.state_dict().items()}, folder / "visual_adapter.safetensors", {"width": json.dumps(width)})


def load_visual_adapter(folder: Path) -> VisualAdapter:
    """Read what `save_visual_adapter` wrote."""
    weights = load_file(folder / "visual_adapter.safetensors")
    adapter = VisualAdapter(weights["mask"].numel())
    adapter.load_state_dict(weights)
    return adapter
