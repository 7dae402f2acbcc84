"""The file that a finetuning left in its folder, by its method's name; found and copied without what could load it."""

import shutil
from pathlib import Path

from vd_core.errors import InputError

LORA_FILE = "pytorch_lora_weights.safetensors"
KEYS_VALUES_FILE = "custom_diffusion.safetensors"
SHIFTS_FILE = "spectral_shifts.safetensors"


def find_weights(folder: Path) -> Path:
    """The one file of weights that a method wrote; InputError if there is none."""
    for name in (LORA_FILE, KEYS_VALUES_FILE, SHIFTS_FILE):
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{folder} holds no finetuned weights; run the stage that makes it again")


def copy_customisation(source: Path, target: Path) -> None:
    """Copy the weights from one stage's folder to another's."""
    shutil.copy(find_weights(source), target)
