"""What a finetuning left in its folder, whichever method it was, laid over a base."""

from pathlib import Path

from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.keys_values import load_keys_and_values
from vd_core.customisation.lora import load_lora
from vd_core.customisation.spectral import load_spectral_shifts
from vd_core.customisation.weights import KEYS_VALUES_FILE, LORA_FILE, SHIFTS_FILE, find_weights

LOADERS = {LORA_FILE: load_lora, KEYS_VALUES_FILE: load_keys_and_values, SHIFTS_FILE: load_spectral_shifts}


def load_customisation(base: Base, folder: Path) -> None:
    """Customize `base` in place with what `folder` holds."""
    LOADERS[find_weights(folder).name](base, folder)
