"""What a finetuning left in its folder, whichever method it was, laid over a base."""

import shutil
from pathlib import Path

from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.keys_values import KEYS_VALUES_FILE, load_keys_and_values
from vd_core.customisation.lora import LORA_FILE, load_lora
from vd_core.customisation.spectral import SHIFTS_FILE, load_spectral_shifts
from vd_core.errors import InputError

LOADERS = {LORA_FILE: load_lora, KEYS_VALUES_FILE: load_keys_and_values, SHIFTS_FILE: load_spectral_shifts}


def find_weights(folder: Path) -> Path:
    """The one file of weights that a method wrote; InputError if there is none."""
    for name in LOADERS:
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"{folder} holds no finetuned weights; run the stage that makes it again")


def load_customisation(base: Base, folder: Path) -> None:
    """Customize `base` in place with what `folder` holds."""
    LOADERS[find_weights(folder).name](base, folder)


def copy_customisation(source: Path, target: Path) -> None:
    """Copy the weights from one stage's folder to another's."""
    shutil.copy(find_weights(source), target)
