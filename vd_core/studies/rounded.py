"""A base whose frozen weights went through 16 bits: what `precision: bf16` costs, shown where no processor computes in bfloat16."""

import shutil
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

ROUNDED = ("unet", "text_encoder", "image_encoder")
"""What a base freezes in 16 bits; its autoencoder stays in float32."""


def round_weights(folder: Path, target: Path) -> None:
    """Write the base in `folder` to `target` with its frozen weights rounded to bfloat16, and kept in float32 so that they are computed with as before."""
    shutil.copytree(folder, target, dirs_exist_ok=True)
    for path in (p for part in ROUNDED for p in sorted((target / part).glob("*.safetensors"))):
        with safe_open(path, "pt") as file:
            metadata = file.metadata()
        rounded = {k: v.to(torch.bfloat16).float() if v.is_floating_point() else v for k, v in load_file(path).items()}
        save_file(rounded, path, metadata)
