"""What a finetuning changed, as products of two thin matrices: its own LoRA, or the nearest one to another method's differences."""

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.utils import convert_state_dict_to_peft
from safetensors.torch import load_file
from torch.nn import functional

from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.load import load_customisation
from vd_core.customisation.spectral import shiftable
from vd_core.customisation.weights import LORA_FILE

PARTS = ("unet", "text_encoder")
TOLERANCE = 0.005
LARGEST_RANK = 128


@dataclass(frozen=True)
class Factors:
    """One layer's change: `up @ down`; `down` is `[rank, in, ...]` and `up` `[out, rank, ...]`, a convolution's kernel in `down`."""

    down: torch.Tensor
    up: torch.Tensor

    @property
    def rank(self) -> int:
        return self.down.shape[0]

    @property
    def product(self) -> torch.Tensor:
        """The change as a matrix `[out, in * kernel]`."""
        return self.up.flatten(1) @ self.down.flatten(1)


Lora = dict[str, Factors]
"""By layer: `unet.<module>` or `text_encoder.<module>`, as diffusers and transformers call them. Every alpha is the rank."""


def read_lora(folder: Path) -> Lora:
    """The LoRA that `save_lora` wrote into `folder`."""
    state, lora = load_file(folder / LORA_FILE), {}
    for part in PARTS:
        own = {k.removeprefix(f"{part}."): v for k, v in state.items() if k.startswith(f"{part}.")}
        own = convert_state_dict_to_peft(own) if part == "text_encoder" else own  # the U-Net's have peft's names
        for key in (k for k in own if k.endswith(".lora_A.weight")):
            name = key.removesuffix(".lora_A.weight")
            lora[f"{part}.{name}"] = Factors(own[key], own[f"{name}.lora_B.weight"])
    return lora


@torch.no_grad()
def read_differences(base: Base, folder: Path) -> dict[str, torch.Tensor]:
    """By how much the weights of `folder`, of whatever method, change each layer of `base`, which is customized in place."""
    before = {name: module.get_parameter("weight").clone() for name, module in shiftable(base).items()}
    load_customisation(base, folder)
    differences = {name: module.get_parameter("weight") - before[name] for name, module in shiftable(base).items()}
    return {name: d for name, d in differences.items() if d.any()}


def needed_rank(difference: torch.Tensor) -> int:
    """The smallest rank of which a product is within TOLERANCE of `difference` (relative, Frobenius), at most LARGEST_RANK."""
    s = torch.linalg.svdvals(difference.float().flatten(1))
    left = (s.square().flip(0).cumsum(0).flip(0) / s.square().sum()).sqrt()  # the error of each rank, from 0 on
    return min(int((left > TOLERANCE).sum()), LARGEST_RANK)


def factorize(difference: torch.Tensor, rank: int) -> Factors:
    """The nearest product of `rank` to `difference`, filled with zeros where its sides are shorter."""
    u, s, vh = torch.linalg.svd(difference.float().flatten(1), full_matrices=False)
    root, missing = s[:rank].sqrt(), max(0, rank - len(s))
    down = functional.pad(root[:, None] * vh[:rank], (0, 0, 0, missing))
    up = functional.pad(u[:, :rank] * root, (0, missing))
    return Factors(down.reshape(rank, *difference.shape[1:]), up.reshape(*up.shape, *[1] * (difference.dim() - 2)))


def approximate(differences: dict[str, torch.Tensor]) -> tuple[Lora, float]:
    """The nearest LoRA to `differences`, and how far it is from them: relative, the Frobenius norm over all layers.

    All layers have the rank that the most demanding one needs: diffusers loses the alphas of a kohya file with several ranks.
    """
    rank = max(needed_rank(d) for d in differences.values())
    lora = {name: factorize(d, rank) for name, d in differences.items()}
    missed = sum((d.flatten(1) - lora[name].product).square().sum().item() for name, d in differences.items())
    return lora, (missed / sum(d.square().sum().item() for d in differences.values())) ** 0.5
