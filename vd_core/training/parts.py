"""Modules that compute a batch in parts, and each part again on the way back: the memory of one part's activations."""

from collections.abc import Callable
from typing import Any

import torch
from diffusers import UNetMotionModel
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D
from torch import nn
from torch.utils.checkpoint import checkpoint


def compute_in_parts(module: nn.Module, parts: int) -> None:
    """Let `module`, whose samples do not depend on each other, take its batch in so many parts when it learns.

    Its tensors with as many rows as the first one are cut; the others, and all that is no tensor, go to every part.
    """
    forward = module.forward

    def in_parts(*args: Any, **kwargs: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*args, **kwargs)
        rows = len(next(v for v in (*args, *kwargs.values()) if isinstance(v, torch.Tensor)))
        size = -(-rows // parts)
        found = [compute(forward, args, kwargs, slice(i, i + size), rows) for i in range(0, rows, size)]
        return torch.cat(found) if isinstance(found[0], torch.Tensor) else tuple(map(torch.cat, zip(*found, strict=True)))

    module.forward = in_parts


def compute(forward: Callable, args: tuple, kwargs: dict[str, Any], part: slice, rows: int) -> Any:
    """One part, whose activations are computed again on the way back."""

    def cut(value: Any) -> Any:
        return value[part] if isinstance(value, torch.Tensor) and value.ndim and len(value) == rows else value

    return checkpoint(forward, *map(cut, args), use_reentrant=False, **{k: cut(v) for k, v in kwargs.items()})


def checkpoint_video_model(model: UNetMotionModel, parts: int) -> None:
    """Gradient checkpointing of a video model: image modules in `parts` of the frames, motion modules in as many of the positions.

    diffusers' own keeps what motion modules compute, which is the most of it: at 512 pixels and 16 frames 19 GB had come together by the end
    of the way forward.
    """
    for module in model.modules():
        if isinstance(module, ResnetBlock2D | Transformer2DModel):
            compute_in_parts(module, parts)
        elif isinstance(module, AnimateDiffTransformer3D):
            for block in module.transformer_blocks:
                compute_in_parts(block, parts)
            compute_in_parts(module, 1)
