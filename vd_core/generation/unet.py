"""A whole U-Net call of sampling: times and texts computed beforehand, deep features kept from an earlier step if wanted."""

from dataclasses import dataclass, replace
from typing import Any, cast

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel, UNetMotionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D
from diffusers.models.upsampling import Upsample2D
from torch import nn

from vd_core.generation.attention import Conditions, KeysValues, keys_values
from vd_core.generation.layers import fold_upsampled, motion_module, residual_block, transformer, upsample, widen

SHALLOW = 1
"""How many of the outermost skip connections are computed in a step that takes the deep features of an earlier one."""


@dataclass(frozen=True)
class Unrolled:
    """A U-Net's modules in the order of work: each of `down` leaves a skip connection, each of `up` takes one. `folded` has upsamplers' kernels."""

    unet: UNet2DConditionModel | UNetMotionModel
    down: list[list[nn.Module]]
    middle: list[nn.Module]
    up: list[list[nn.Module]]
    folded: dict[nn.Module, list[torch.Tensor]]


def unroll(unet: UNet2DConditionModel | UNetMotionModel) -> Unrolled:
    """The modules of `unet`, whose weights take the channels-last layout in place."""
    unet.to(memory_format=torch.channels_last)
    down: list[list[nn.Module]] = []
    up: list[list[nn.Module]] = []
    for block in unet.down_blocks:
        down += layers_of(block, block.resnets) + [[sampler] for sampler in cast(Any, block).downsamplers or ()]
    waiting: list[nn.Module] = []  # upsampled maps are as large as the next block's skip connections: what is kept before them is smaller
    for block in unet.up_blocks:
        first, *others = layers_of(block, block.resnets)
        up += [waiting + first, *others]
        waiting = list(cast(Any, block).upsamplers or ())
    folded = {m: fold_upsampled(cast(nn.Conv2d, m.conv).weight) for layer in up for m in layer if isinstance(m, Upsample2D)}
    middle = cast(Any, unet.mid_block)
    first, *others = middle.resnets
    around = [[*layer[1:], layer[0]] for layer in layers_of(middle, others)]  # there the residual block comes last
    return Unrolled(unet, down, [first, *(module for layer in around for module in layer)], up, folded)


def layers_of(block: nn.Module, resnets: list[nn.Module]) -> list[list[nn.Module]]:
    """A block's residual blocks, each with what follows it: attention and motion module, where there are any."""
    more = [getattr(block, name, None) for name in ("attentions", "motion_modules")]
    return [[resnet, *(modules[i] for modules in more if modules)] for i, resnet in enumerate(resnets)]


def without_motion(net: Unrolled) -> Unrolled:
    """The same modules without the motion modules: the image modules, with all that is fused into them."""
    down, (middle,), up = (
        [[m for m in layer if not isinstance(m, AnimateDiffTransformer3D)] for layer in part] for part in (net.down, [net.middle], net.up)
    )
    return replace(net, down=down, middle=middle, up=up)


def embed_times(unet: nn.Module, timesteps: torch.Tensor) -> dict[nn.Module, torch.Tensor]:
    """For each residual block its share `[steps, c]` of the timesteps' embeddings."""
    embedded = F.silu(unet.time_embedding(unet.time_proj(timesteps).to(unet.dtype)))
    return {m: m.time_emb_proj(embedded) for m in unet.modules() if isinstance(m, ResnetBlock2D) and m.time_emb_proj}


def embed_texts(unet: nn.Module, prompt_embeds: torch.Tensor) -> dict[nn.Module, KeysValues]:
    """For each text attention the keys and values of the prompts `[p, n, d]`."""
    blocks = [b for m in unet.modules() if isinstance(m, Transformer2DModel) for b in m.modules() if isinstance(b, BasicTransformerBlock)]
    return {b.attn2: keys_values(b.attn2, prompt_embeds.to(unet.dtype)) for b in blocks}


def call_unet(
    net: Unrolled, latents: torch.Tensor, conditions: Conditions, kept: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the U-Net predicts `[(p f), c, h, w]`, and its deep features.

    The latents are those of one guidance branch: all branches start from the same. With the deep features `kept` from an earlier step only the
    outermost layers are computed (DeepCache, Ma et al. 2024).
    """
    samples = conditions.prompts * conditions.frames
    x = net.unet.conv_in(latents.to(net.unet.dtype).contiguous(memory_format=torch.channels_last))
    skips = [x]
    for layer in net.down if kept is None else net.down[: SHALLOW - 1]:
        x = apply(layer, x, conditions)
        skips.append(x)
    x = apply(net.middle, x, conditions) if kept is None else kept
    for layer in net.up if kept is None else net.up[-SHALLOW:]:
        if len(skips) == SHALLOW:
            kept = x
        x = apply_up(net, layer, x, widen(skips.pop(), samples), conditions)
    norm = net.unet.conv_norm_out
    assert norm is not None and kept is not None
    return net.unet.conv_out(F.silu(norm(x), inplace=True)), kept


def apply_up(net: Unrolled, layer: list[nn.Module], x: torch.Tensor, skip: torch.Tensor, conditions: Conditions) -> torch.Tensor:
    """One layer of the way up, beside its skip connection."""
    if isinstance(layer[0], Upsample2D):
        x, layer = upsample(net.folded[layer[0]], cast(nn.Conv2d, layer[0].conv).bias, x), layer[1:]
    return apply(layer, torch.cat([x, skip], 1), conditions)


def apply(layer: list[nn.Module], x: torch.Tensor, conditions: Conditions) -> torch.Tensor:
    """Modules one after the other; ValueError for one that Stable Diffusion 1.x and 2.x do not have."""
    for module in layer:
        match module:
            case ResnetBlock2D():
                x = residual_block(module, x, conditions)
            case Transformer2DModel():
                x = transformer(module, x, conditions)
            case AnimateDiffTransformer3D():
                x = motion_module(module, x, conditions.frames)
            case Downsample2D():
                x = module(x)
            case _:
                raise ValueError(f"{type(module).__name__} is not a layer of Stable Diffusion 1.x or 2.x; take such a base")
    return x
