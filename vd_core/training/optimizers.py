"""The optimizer of every finetuning: AdamW, its moments in 32 or 8 bits."""

import torch

from vd_core.errors import InputError
from vd_core.settings import Schedule


def build_optimizer(groups: list[dict], schedule: Schedule) -> torch.optim.Optimizer:
    """AdamW over `groups` of parameters with their rates; InputError if its 8-bit form (Dettmers et al., arXiv:2110.02861) is wanted and not there."""
    if schedule.optimizer == "adamw":
        return torch.optim.AdamW(groups, fused=True)
    try:
        from bitsandbytes.optim import AdamW8bit  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InputError("optimizer: adamw_8bit needs bitsandbytes; 'pip install bitsandbytes', or take optimizer: adamw") from None
    return AdamW8bit(groups)
