"""A GPU that is played: "meta" in its place, and CUDA's rules of what may be computed with what."""

from collections.abc import Callable
from typing import Any

import accelerate
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from vd_core.training import loop

OTHER = torch.device("meta")
aten = torch.ops.aten
INDEXED = {aten.index.Tensor, aten.index_put_.default, aten._index_put_impl_.default}
"""What takes indices from the CPU, for tensors of any device."""
COUNTED = {aten._unique2.default, aten.nonzero.default}
"""What has as many results as the values say: here all are one."""


class OtherDevice(TorchDispatchMode):
    """Refuses what CUDA refuses: tensors of both devices in one operation, and numbers drawn on one device by the other's generator.

    Nothing is computed on "meta"; what is fetched from there is ones.
    """

    def __torch_dispatch__(self, func: Callable[..., Any], types: object, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        there = any(t.device == OTHER for t in tensors)
        if func is aten._local_scalar_dense.default and there:
            return torch.ones((), dtype=args[0].dtype).item()
        if func is aten._to_copy.default and there and (kwargs.get("device") or OTHER) != OTHER:
            return torch.ones(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
        if func is aten.copy_.default:
            return args[0].fill_(1) if there and args[0].device != OTHER else args[0]
        if func in COUNTED and there:
            return tree_map_only(
                torch.Tensor, lambda t: t.to(OTHER), func(torch.ones(args[0].shape, dtype=args[0].dtype), *args[1:], **kwargs)
            )
        if func in INDEXED and there:
            args = (args[0], [as_positions(i) for i in args[1]], *args[2:])
        check_devices(func, args, tensors, there)
        check_generator(func, args, kwargs, there)
        return func(*args, **kwargs)


def as_positions(index: torch.Tensor | None) -> torch.Tensor | None:
    """A mask `[n]` on "meta" as the positions that it allows if it is true everywhere; any other index as it is."""
    masks = index is not None and index.dtype == torch.bool and index.device == OTHER
    return torch.arange(len(index), device=OTHER) if masks else index


def check_devices(func: Callable[..., Any], args: tuple, tensors: list[torch.Tensor], there: bool) -> None:
    """AssertionError if an operation has tensors of both devices; the CPU's single numbers, and its indices, may be there."""
    here = [t for t in tensors if t.device != OTHER and t.dim() > 0]
    indexed = func in INDEXED and args[0].device == OTHER
    assert not (there and here) or indexed, (
        f"{func} of tensors on the GPU and on the CPU: {[(str(t.device), tuple(t.shape)) for t in tensors]}"
    )


def check_generator(func: Callable[..., Any], args: tuple, kwargs: dict[str, Any], there: bool) -> None:
    """AssertionError if numbers are drawn on the GPU by a generator of the CPU."""
    drawn = any(isinstance(leaf, torch.Generator) for leaf in tree_leaves((args, kwargs)))
    assert not (drawn and (there or kwargs.get("device") == OTHER)), f"{func} draws on the GPU by a generator of the CPU"


def train_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trainings take the played GPU."""
    monkeypatch.setattr(accelerate.Accelerator, "device", property(lambda _: OTHER))
    monkeypatch.setattr(loop, "build_optimizer", lambda groups, _: torch.optim.AdamW(groups))  # "meta" has no fused one
