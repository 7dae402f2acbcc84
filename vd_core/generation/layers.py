"""The layers of a Stable Diffusion U-Net and of its motion modules as sampling computes them: diffusers' modules, the same values, less work.

Maps are `[s, c, h, w]` in the channels-last layout, so that tokens `[s, h w, c]` are the same memory. The samples s are the prompts' clips'
frames, in a row: `(p f)`. What does not depend on the latents (times, texts) is computed beforehand.
"""

import torch
import torch.nn.functional as F
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D
from torch import nn

from vd_core.generation.attention import Conditions, attend, keys_values, self_attention, text_attention

FEED_FORWARD_NUMBERS = 2**19
"""How many numbers of a feed-forward's inner width are computed at once on a CPU: what its caches hold."""


def widen(x: torch.Tensor, samples: int) -> torch.Tensor:
    """The same samples for every guidance branch: they part at the first text attention, and are computed once until there."""
    return x if len(x) == samples else torch.cat([x] * (samples // len(x)))


def residual_block(block: ResnetBlock2D, x: torch.Tensor, conditions: Conditions) -> torch.Tensor:
    """Two convolutions; the time is part of the first one's bias."""
    assert block.conv1.bias is not None
    h = F.silu(block.norm1(x), inplace=True)
    h = F.conv2d(h, block.conv1.weight, block.conv1.bias + conditions.times[block], padding=1)
    h = block.conv2(F.silu(block.norm2(h), inplace=True))
    return h.add_(x if block.conv_shortcut is None else project(block.conv_shortcut, x))


def project(layer: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """A 1 x 1 convolution, or a linear layer, over maps."""
    return as_maps(F.linear(as_tokens(x), layer.weight.flatten(1), layer.bias), x.shape[-2:])


def as_tokens(x: torch.Tensor) -> torch.Tensor:
    """`[s, c, h, w]` as `[s, h w, c]`."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def as_maps(tokens: torch.Tensor, size: torch.Size) -> torch.Tensor:
    """`[s, h w, c]` as `[s, c, h, w]`."""
    return tokens.unflatten(1, size).permute(0, 3, 1, 2)


def transformer(module: Transformer2DModel, x: torch.Tensor, conditions: Conditions) -> torch.Tensor:
    """Self-attention, text attention and feed-forward over the positions of each frame."""
    tokens, size = as_tokens(project(module.proj_in, module.norm(x))), x.shape[-2:]
    for block in module.transformer_blocks:
        tokens = self_attention(block.attn1, block.norm1(tokens), size, conditions).add_(tokens)
        tokens = widen(tokens, conditions.prompts * conditions.frames)
        tokens = text_attention(block.attn2, block.norm2(tokens), size, conditions).add_(tokens)
        tokens = feed_forward(block, tokens).add_(tokens)
    return project(module.proj_out, as_maps(tokens, size)).add_(widen(x, len(tokens)))


def fold_upsampled(weight: torch.Tensor) -> list[torch.Tensor]:
    """The 3 x 3 kernel of a convolution after nearest-neighbor doubling as four of 2 x 2 before it, one for each place in a doubled pixel.

    The taps that meet the same pixel are added (Shi et al. 2016, sub-pixel convolution): the same values by 4/9 of the operations.
    """
    rows = [torch.stack(pair, 2) for pair in two_taps(weight, 2)]
    return [torch.stack(pair, 3).contiguous(memory_format=torch.channels_last) for row in rows for pair in two_taps(row, 3)]


def two_taps(weight: torch.Tensor, dim: int) -> list[list[torch.Tensor]]:
    """Three taps in a row as the two that the first pixel of a doubled one needs, and the two of the second."""
    before, at, after = weight.unbind(dim)
    return [[before, at + after], [before + at, after]]


def upsample(folded: list[torch.Tensor], bias: torch.Tensor | None, x: torch.Tensor) -> torch.Tensor:
    """Maps of twice the size, convolved."""
    samples, _, height, width = x.shape
    padded = F.pad(x, (1, 1, 1, 1))
    out = x.new_empty((samples, len(folded[0]), 2 * height, 2 * width)).contiguous(memory_format=torch.channels_last)
    for i, weight in enumerate(folded):
        row, column = divmod(i, 2)
        out[:, :, row::2, column::2] = F.conv2d(padded[:, :, row : row + height + 1, column : column + width + 1], weight, bias)
    return out


def feed_forward(block: BasicTransformerBlock, x: torch.Tensor) -> torch.Tensor:
    """The gated feed-forward of `x` `[b, n, c]`, normalized; on a CPU some rows at a time, so that the inner width stays in its cache."""
    norm, inner, outer = block.norm3, block.ff.net[0].proj, block.ff.net[2]
    assert norm is not None
    (weight, gate_weight), (bias, gate_bias) = inner.weight.chunk(2), inner.bias.chunk(2)

    def compute(rows: torch.Tensor) -> torch.Tensor:
        rows = norm(rows)
        gate = F.gelu(F.linear(rows, gate_weight, gate_bias))
        return outer(gate.mul_(F.linear(rows, weight, bias)))

    rows = x.flatten(0, 1)
    if x.device.type == "cpu":
        done = torch.cat([compute(part) for part in rows.split(max(512, FEED_FORWARD_NUMBERS // len(weight)))])
    else:
        done = compute(rows)
    return done.view_as(x)


def motion_module(module: AnimateDiffTransformer3D, x: torch.Tensor, frames: int) -> torch.Tensor:
    """Attention over the frames at each position, twice, and a feed-forward."""
    size = x.shape[-2:]
    clips = x.permute(0, 2, 3, 1).unflatten(0, (-1, frames)).permute(0, 4, 1, 2, 3)  # [b, c, f, h, w]
    normed = module.norm(clips).permute(0, 3, 4, 2, 1).flatten(0, 2)  # [(b h w), f, c]
    tokens = module.proj_in(normed)
    for block in module.transformer_blocks:
        for norm, attn in ((block.norm1, block.attn1), (block.norm2, block.attn2)):
            normed = block.pos_embed(norm(tokens))
            key, value = (t.contiguous() for t in keys_values(attn, normed))  # of so few frames a strided one costs more than its copy
            tokens = attend(attn, attn.to_q(normed), key, value).add_(tokens)
        tokens = feed_forward(block, tokens).add_(tokens)
    moved = module.proj_out(tokens).unflatten(0, (-1, *size)).permute(0, 3, 4, 1, 2)  # [b, f, c, h, w]
    return x + moved.flatten(0, 1)
