"""A small training: settings, data, what learns."""

from typing import Any

import torch
from pydantic import TypeAdapter

from tasks.shared.yaml_files import overlay
from tests.helpers.pictures import noise_picture
from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.lora import add_lora
from vd_core.customisation.visual_adapter import VisualAdapter
from vd_core.settings import MotionSettings, Settings
from vd_core.training.data import FinetuningData, build_data
from vd_core.training.step import Models

SCHEDULE = {
    "steps": 6,
    "learning_rate": 1e-2,
    "linear_decay": True,
    "max_grad_norm": 1.0,
    "gradient_accumulation": 1,
    "gradient_checkpointing": False,
    "compile": False,
    "optimizer": "adamw",
    "ema_decay": 0.0,
    "seed": 7,
}
SETTINGS = {
    "schedule": SCHEDULE,
    "text_encoder_learning_rate": 1e-2,
    "lora": {"rank": 2, "targets": "attention"},
    "batch_per_subject": 2,
    "batch_mixed": 2,
    "min_snr_gamma": 0.0,
    "disen_mix": {
        "weak_denoising": 0.5,
        "stitch_prompt": True,
        "visual_embedding": True,
        "prior_preservation": False,
        "regions": False,
        "repeat": False,
    },
    "prior": {"pictures": 2, "weight": 0.5},
    "validation": {"every": 0, "pictures": 2, "keep_best": False},
    "sampling": {"num_inference_steps": 4, "guidance_scale": 3.0},
}


def make_settings(**changes: Any) -> Settings:
    """Settings of a training of six steps, with `changes` laid over them."""
    return TypeAdapter(Settings).validate_python(overlay(SETTINGS, changes))


def make_motion_settings(**changes: Any) -> MotionSettings:
    """Settings of a motion finetuning of two steps, from the clip itself, with `changes` of its schedule."""
    schedule = {**SCHEDULE, "steps": 2, "linear_decay": False, "seed": 0, **changes}
    return TypeAdapter(MotionSettings).validate_python(
        {
            "schedule": schedule,
            "lora_rank": 2,
            "copies": 0,
            "actors": 1,
            "places": ["in the snow"],
            "validation": {"every": 0, "pictures": 1, "keep_best": False},
        }
    )


def parts_of(base: Base, adapter: VisualAdapter) -> Models:
    return {"unet": base.unet, "text_encoder": base.text_encoder, "visual_adapter": adapter}


def make_data(base: Base) -> FinetuningData:
    pictures = [[noise_picture(10 * s + i, (base.resolution,) * 2) for i in range(2 + s)] for s in range(2)]
    mixed = [noise_picture(90 + i, (base.resolution,) * 2) for i in range(4)]
    return build_data(base, pictures, mixed, ["a sks dog", "a krk cat"], "a picture is divided into several regions, a sks dog, a krk cat")


def make_trainee(base: Base) -> VisualAdapter:
    add_lora(base, rank=2, seed=1)
    return VisualAdapter(base.text_encoder.config.hidden_size)


def shake_lora(base: Base) -> None:
    """Make the LoRA a change that is not zero."""
    generator = torch.Generator().manual_seed(3)
    for module in (base.unet, base.text_encoder):
        for name, parameter in module.named_parameters():
            if "lora_B" in name:
                parameter.data = 0.1 * torch.randn(parameter.shape, generator=generator)


def make_fresh_trainee(base: Base) -> VisualAdapter:
    torch.manual_seed(11)
    return make_trainee(base)


class Killed(Exception):
    """Stands for kill -9."""
