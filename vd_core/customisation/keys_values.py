"""Custom Diffusion's trained part: cross-attention's key and value projections, and the placeholders' token embeddings (Kumari et al., arXiv:2212.04488)."""

from pathlib import Path

import torch
from diffusers.training_utils import cast_training_params
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn.utils import parametrize

from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.weights import KEYS_VALUES_FILE

TRAINED = ("attn2.to_k.weight", "attn2.to_v.weight")


class ReplacedRows(nn.Module):
    """An embedding table in which the rows `ids` `[n]` are parameters of their own, in float32; all others stay frozen."""

    ids: torch.Tensor

    def __init__(self, table: torch.Tensor, ids: torch.Tensor):
        super().__init__()
        self.register_buffer("ids", ids)
        self.rows = nn.Parameter(table[ids].detach().clone().float())

    def forward(self, table: torch.Tensor) -> torch.Tensor:
        """The table `[vocabulary, width]` with the rows in place."""
        return table.index_copy(0, self.ids, self.rows.to(table.dtype))


def embedding_of(base: Base) -> nn.Module:
    """The text encoder's token embedding."""
    return base.text_encoder.get_input_embeddings()


def train_keys_and_values(base: Base, placeholder_tokens: list[str]) -> None:
    """Let cross-attention's K and V and the placeholders' embeddings learn, in place and in float32, and nothing else.

    In 16 bits a step would be less than what they are rounded by.
    """
    base.text_encoder.requires_grad_(False)
    for name, parameter in base.unet.named_parameters():
        parameter.requires_grad_(name.endswith(TRAINED))
    cast_training_params(base.unet, torch.float32)
    ids = torch.tensor([base.tokenizer(t, add_special_tokens=False).input_ids[0] for t in placeholder_tokens], device=base.device)
    embedding = embedding_of(base)
    parametrize.register_parametrization(embedding, "weight", ReplacedRows(embedding.weight, ids))
    embedding.parametrizations.weight.original.requires_grad_(False)


def save_keys_and_values(base: Base, folder: Path) -> None:
    """Write the trained matrices, and the rows with their ids."""
    tensors = {k: p.detach().cpu().contiguous() for k, p in base.unet.named_parameters() if k.endswith(TRAINED)}
    replaced = embedding_of(base).parametrizations.weight[0]
    tensors |= {"token_ids": replaced.ids.cpu(), "token_rows": replaced.rows.detach().cpu().contiguous()}
    save_file(tensors, folder / KEYS_VALUES_FILE)


@torch.no_grad()
def load_keys_and_values(base: Base, folder: Path) -> None:
    """Put the trained matrices and rows in place of the base's."""
    tensors = {name: tensor.to(base.device) for name, tensor in load_file(folder / KEYS_VALUES_FILE).items()}
    ids, rows = tensors.pop("token_ids"), tensors.pop("token_rows")
    embedding = embedding_of(base)
    embedding.weight[ids] = rows.to(embedding.weight.dtype)
    parameters = dict(base.unet.named_parameters())
    for name, tensor in tensors.items():
        parameters[name].copy_(tensor)
