"""Every method, run for a few steps on noise, and what it says and shows to the base meanwhile."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from tests.helpers.pictures import noise_picture
from tests.helpers.training import make_settings
from vd_core.bases.stable_diffusion import Base
from vd_core.inputs.subjects import Subject
from vd_core.methods.named import METHODS
from vd_core.settings import Settings
from vd_core.training.loop import Progress

SUBJECTS = [Subject("dog", "dog", "sks", Path()), Subject("cat", "cat", "krk", Path())]
QUICK = make_settings(schedule={"steps": 3})
OPTIONS = {"steps": 3, "ema_decay": 0.9, "gradient_checkpointing": True, "gradient_accumulation": 2}
EVERY_METHOD: list[tuple[str, dict[str, Any]]] = [
    ("disen_mix", {"schedule": OPTIONS, "min_snr_gamma": 5.0, "lora": {"targets": "all"}}),
    ("disen_mix", {"schedule": {"steps": 2}, "disen_mix": {"prior_preservation": True}}),
    ("plain_mix", {"schedule": {"steps": 2}}),
    ("dreambooth", {"schedule": {"steps": 2}, "prior": {"weight": 0.0}}),
    ("custom_diffusion", {"schedule": OPTIONS}),
    ("svdiff", {"schedule": {"steps": 2}}),
]
"""The methods, with what a training can be asked for besides."""


def pictures_for(base: Base, count: int, seed: int) -> list[Image.Image]:
    return [noise_picture(seed + i, (base.resolution,) * 2) for i in range(count)]


def run_method(name: str, base: Base, folder: Path, settings: Settings = QUICK) -> None:
    own = [pictures_for(base, 2, 0), pictures_for(base, 3, 10)]
    METHODS[name](base, SUBJECTS, own, pictures_for(base, 3, 20), settings, Progress(folder / "progress"), folder)


def watch(base: Base, learn: Callable[[], None]) -> tuple[set[str], set[int]]:
    """The prompts that the text encoder reads while `learn` learns, and how many samples the U-Net sees at once."""
    said: set[str] = set()
    batches: set[int] = set()

    def listen(_: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            said.update(base.tokenizer.batch_decode(args[0], skip_special_tokens=True))

    def count(_: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            batches.add(len(args[0]))

    base.text_encoder.register_forward_pre_hook(listen)
    base.unet.register_forward_pre_hook(count)
    learn()
    return {" ".join(s.replace(" ,", ",").split()) for s in said}, batches
