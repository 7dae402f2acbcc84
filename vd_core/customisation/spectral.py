"""SVDiff's trained part: shifts of the singular values of the U-Net's and text encoder's weight matrices (Han et al., arXiv:2303.11305)."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.utils import parametrize

from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.weights import SHIFTS_FILE


class SpectralShift(nn.Module):
    """W + U (relu(s + shift) - s) V^T, with W = U s V^T as a matrix of its output channels. A zero shift changes no bit of W."""

    u: torch.Tensor
    s: torch.Tensor
    vh: torch.Tensor

    def __init__(self, weight: torch.Tensor):
        super().__init__()
        u, s, vh = torch.linalg.svd(weight.detach().float().flatten(1), full_matrices=False)
        self.shift = nn.Parameter(torch.zeros_like(s))
        for name, value in (("u", u), ("s", s), ("vh", vh)):
            self.register_buffer(name, value, persistent=False)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The shifted weight, of the shape and type of `weight`."""
        moved = torch.relu(self.s + self.shift) - self.s
        return weight + ((self.u * moved) @ self.vh).reshape(weight.shape).to(weight.dtype)


def shiftable(base: Base) -> dict[str, nn.Module]:
    """The linear and convolutional layers of U-Net and text encoder by name."""
    parts = nn.ModuleDict({"unet": base.unet, "text_encoder": base.text_encoder})
    return {name: m for name, m in parts.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)}


def add_spectral_shifts(base: Base) -> None:
    """Let every weight matrix of U-Net and text encoder be shifted, in place; the shifts alone learn."""
    base.unet.requires_grad_(False)
    base.text_encoder.requires_grad_(False)
    for module in shiftable(base).values():
        parametrize.register_parametrization(module, "weight", SpectralShift(module.weight))


def save_spectral_shifts(base: Base, folder: Path) -> None:
    """Write the shifts, a vector a layer."""
    shifts = {name: module.parametrizations.weight[0].shift for name, module in shiftable(base).items()}
    save_file({k: p.detach().cpu().contiguous() for k, p in shifts.items()}, folder / SHIFTS_FILE)


@torch.no_grad()
def load_spectral_shifts(base: Base, folder: Path) -> None:
    """Shift the weights for good, in place."""
    modules = shiftable(base)
    for name, shift in load_file(folder / SHIFTS_FILE).items():
        weight = modules[name].weight
        spectral = SpectralShift(weight).to(weight.device)
        spectral.shift.copy_(shift)
        weight.copy_(spectral(weight))
