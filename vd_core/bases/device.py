"""Where a stage computes, and in which precision."""

import re

import torch

from vd_core.errors import InputError
from vd_core.settings import Precision

OVERFLOWS = "float16 overflows here; set precision to float32, or to bf16 on a GPU that computes it"
"""What to do where a network computes no numbers any more."""

NO_FLOAT16 = re.compile(r"GTX 16\d0|MX[45]50|\bT(400|500|550|600|1000|1200|2000)\b|CMP 30HX")
"""The names of GPUs of the chips TU116 and TU117, on which whole networks in float16 give no numbers (pytorch#58123, diffusers#2153)."""


def choose_device(name: str) -> torch.device:
    """ "auto", "cpu" or "cuda" as a device; InputError if there is no GPU where one is asked for."""
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device is cuda, but torch sees no GPU; set it to auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def choose_dtype(wanted: Precision, device: torch.device) -> torch.dtype:
    """The precision of frozen weights and trainings: "auto" is bfloat16 where the device has it, else float16 on a GPU that computes it well, else float32."""
    if wanted != "auto":
        return {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[wanted]
    if device.type == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return torch.bfloat16
        return torch.float32 if NO_FLOAT16.search(torch.cuda.get_device_name(device)) else torch.float16
    has_bf16 = torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()  # a Mac's PyTorch has no oneDNN to ask
    return torch.bfloat16 if has_bf16 else torch.float32
