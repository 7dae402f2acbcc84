"""Judges that have learned nothing."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from vd_core.metrics.judges import build_clip, build_detector, build_identity
from vd_core.toybox.pretraining.judges import CONFIG, half_precision


def write_random_judges(folder: Path) -> None:
    """Judges that have learned nothing, as files."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    modules = {
        "detector": build_detector(len(CONFIG["labels"]), CONFIG["detector_size"]),
        "identity": build_identity(CONFIG["identity"]),
        "clip": build_clip(CONFIG["clip"]),
    }
    for name, module in modules.items():
        save_file(half_precision(module.state_dict()), folder / f"{name}.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
