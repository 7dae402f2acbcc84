"""Customized bases of every method with weights that really change something, and what is said of them."""

from pathlib import Path

import numpy as np
import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from PIL import Image

from tests.helpers.training import make_settings, shake_lora
from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.customisation.keys_values import embedding_of, save_keys_and_values, train_keys_and_values
from vd_core.customisation.load import load_customisation
from vd_core.customisation.lora import add_lora, save_lora
from vd_core.customisation.spectral import add_spectral_shifts, save_spectral_shifts, shiftable
from vd_core.export.metadata import About, read_kind
from vd_core.generation.pictures import draw_noise, generate_pictures

PROMPT, SEED, STEPS, GUIDANCE = "a sks dog, a krk car in the snow", 5, 6, 3.0


def fresh_base(folder: Path) -> Base:
    return load_base(folder_source(folder), torch.device("cpu"))


def write_weights(method: str, base_folder: Path, folder: Path) -> None:
    """What a finetuning by `method` would leave in `folder`, with large random changes instead of learned ones."""
    base, generator = fresh_base(base_folder), torch.Generator().manual_seed(3)
    folder.mkdir(parents=True)
    if method == "lora":
        add_lora(base, 2, 0, "all")
        shake_lora(base)
        save_lora(base, folder)
    elif method == "custom_diffusion":
        train_keys_and_values(base, ["sks", "krk"])
        rows = embedding_of(base).parametrizations.weight[0].rows
        for p in [p for p in base.unet.parameters() if p.requires_grad] + [rows]:
            p.data += 0.3 * torch.randn(p.shape, generator=generator)
        save_keys_and_values(base, folder)
    else:
        add_spectral_shifts(base)
        for module in shiftable(base).values():
            shift = module.parametrizations.weight[0].shift
            shift.data = 0.3 * torch.randn(shift.shape, generator=generator)
        save_spectral_shifts(base, folder)


def make_about(base_folder: Path, **changes: object) -> About:
    """What the stage would say of a combination of a dog and a car."""
    source = folder_source(base_folder)
    said = {
        "combination": "toys",
        "base": "toybox",
        "source": source,
        "kind": read_kind("toybox", source),
        "license": "apache-2.0",
        "method": "disen_mix",
        "tokens": ("sks dog", "krk car"),
        "pictures": (5, 4),
        "prompts": (PROMPT,),
        "training": make_settings(),
        "refinetuning_steps": 3,
        "figures": {"text2video_zero": {"subject_fidelity": 0.5}},
        "error": None,
    }
    return About(**{**said, **changes})


def draw_ours(base_folder: Path, weights: Path | None) -> np.ndarray:
    """A picture as this project draws it with the weights of a stage's folder."""
    base = fresh_base(base_folder)
    if weights:
        load_customisation(base, weights)
    return as_array(generate_pictures(base, [PROMPT], [SEED], STEPS, GUIDANCE)[0])


def open_pipeline(base_folder: Path) -> StableDiffusionPipeline:
    """A fresh base as anybody opens it with diffusers."""
    pipeline = StableDiffusionPipeline.from_pretrained(base_folder, safety_checker=None)
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def draw_theirs(pipeline: StableDiffusionPipeline, base_folder: Path, prompt: str = PROMPT) -> np.ndarray:
    """The same picture from diffusers alone."""
    noise = draw_noise(fresh_base(base_folder), SEED)[None]
    return as_array(pipeline(prompt, latents=noise, num_inference_steps=STEPS, guidance_scale=GUIDANCE).images[0])


def as_array(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB")).astype(int)
