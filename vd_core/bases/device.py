"""Where a stage computes, and in which precision."""

import re

import torch

from vd_core.errors import InputError
from vd_core.settings import Precision

OVERFLOWS = "float16 overflows here; set precision to float32, or to bf16 on a GPU that computes it"
"""What to do where a network computes no numbers any more."""

NO_FLOAT16 = re.compile(r"GTX 16\d0|MX[45]50|\bT(400|500|550|600|1000|1200|2000)\b|CMP 30HX")
"""The names of GPUs of the chips TU116 and TU117, on which whole networks in float16 give no numbers (pytorch#58123, diffusers#2153)."""


BUILT_FOR = re.compile(r"(sm|compute)_(\d+)(\d)")
"""What a PyTorch was built for: binaries for an architecture, or code that the driver compiles for it and for later ones."""


def gpu_is_usable() -> bool:
    """Whether there is a GPU that this PyTorch computes on. `torch.cuda` lists older ones that it was not built for: with CUDA 13 all before Turing."""
    return torch.cuda.is_available() and has_kernels(torch.cuda.get_device_capability(), torch.cuda.get_arch_list())


def has_kernels(capability: tuple[int, int], built_for: list[str]) -> bool:
    """Whether a PyTorch that was `built_for` ("sm_86", "compute_120") runs on a GPU of that compute capability; True for AMD's, which have other names.

    A binary runs on later GPUs of its own generation.
    """
    known = [(m[1], (int(m[2]), int(m[3]))) for name in built_for if (m := BUILT_FOR.match(name))]
    runs = [version[0] == capability[0] and version <= capability if kind == "sm" else version <= capability for kind, version in known]
    return any(runs) or not known


def choose_device(name: str) -> torch.device:
    """ "auto", "cpu" or "cuda" as a device; InputError if there is no GPU that can be used where one is asked for."""
    usable = name != "cpu" and gpu_is_usable()
    if name == "cuda" and not usable:
        not_built = f"torch {torch.__version__} was not built for this GPU (README, Hardware)"
        why = not_built if torch.cuda.is_available() else "torch sees no GPU"
        raise InputError(f"device is cuda, but {why}; set it to auto or cpu")
    return torch.device("cuda" if usable else "cpu")


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
