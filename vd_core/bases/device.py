"""Where a stage computes, and in which precision."""

import torch

from vd_core.errors import InputError
from vd_core.settings import Precision


def choose_device(name: str) -> torch.device:
    """ "auto", "cpu" or "cuda" as a device; InputError if there is no GPU where one is asked for."""
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device is cuda, but torch sees no GPU; set it to auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def choose_dtype(wanted: Precision, device: torch.device) -> torch.dtype:
    """The precision of frozen weights and trainings: "auto" is bfloat16 where the device has it, else float16 on a GPU and float32 on a CPU."""
    if wanted != "auto":
        return {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[wanted]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    has_bf16 = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()  # a Mac's PyTorch has no oneDNN to ask
    return torch.bfloat16 if has_bf16 else torch.float32
