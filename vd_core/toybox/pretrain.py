"""The whole recipe of the embedded base: its trainings, in order; every one goes on where it was stopped."""

from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from vd_core.bases import load_base
from vd_core.toybox.assemble import export_motion_adapter, load_as_float32
from vd_core.toybox.autoencoder import load_trained_vae, train_decoder, train_vae
from vd_core.toybox.denoiser import LatentPool, build_noise_scheduler, build_unet, train_unet, trained_part
from vd_core.toybox.encoders import load_trained_encoders, train_encoders
from vd_core.toybox.judges import train_clip, train_detector, train_identity
from vd_core.toybox.motion_modules import train_motion_adapter
from vd_core.toybox.reader import train_reader

STEPS = {
    "autoencoder": 2100,
    "encoders": 800,
    "unet": 4674,
    "unet_text": 11_400,
    "motion": 2100,
    "decoder": 900,
    "detector": 700,
    "identity": 400,
    "clip": 500,
    "reader": 600,
}
"""Optimiser steps of each training, as the weights in models/toybox had them (its README has the hours)."""


def state_of(states: Path, part: str) -> Path:
    """The state file of a training."""
    return states / part / "state.safetensors"


def load_vae(states: Path) -> AutoencoderKL:
    """The trained autoencoder, frozen."""
    return load_trained_vae(state_of(states, "autoencoder"))


def load_text(states: Path, drawing: str | None = None) -> tuple[CLIPTokenizer, CLIPTextModel]:
    """Tokenizer and frozen text encoder: as contrastively trained, or as they came out of the training called `drawing`."""
    tokenizer, pair = load_trained_encoders(state_of(states, "encoders"))
    if drawing:
        pair.text_encoder.load_state_dict(trained_part(state_of(states, drawing), "text_encoder"))
    return tokenizer, pair.text_encoder.eval().requires_grad_(False)


def load_unet(state: Path) -> UNet2DConditionModel:
    """The averaged U-Net of a state of `train_unet`, frozen."""
    unet = build_unet()
    unet.load_state_dict(trained_part(state, "unet"))
    return unet.eval().requires_grad_(False)


def train_first_unet(states: Path, folder: Path, steps: int) -> None:
    """From nothing, on the contrastive text encoder."""
    train_unet(folder, LatentPool(states / "pool", load_vae(states)), *load_text(states), steps)


def train_unet_and_text(states: Path, folder: Path, steps: int) -> None:
    """On from there, the text encoder learning too."""
    start = load_unet(state_of(states, "unet"))
    train_unet(folder, LatentPool(states / "pool", load_vae(states)), *load_text(states), steps, start=start, train_text=True)


def train_motion(states: Path, folder: Path, steps: int) -> None:
    """The motion adapter, on the finished U-Net."""
    unet = load_unet(state_of(states, "unet_text"))
    train_motion_adapter(folder, unet, build_noise_scheduler(), load_vae(states), *load_text(states, "unet_text"), steps)


TRAININGS: dict[str, Callable[[Path, Path, int], object]] = {
    "autoencoder": lambda states, folder, steps: train_vae(folder, steps),
    "encoders": lambda states, folder, steps: train_encoders(folder, steps),
    "unet": train_first_unet,
    "unet_text": train_unet_and_text,
    "motion": train_motion,
    "decoder": lambda states, folder, steps: train_decoder(folder, state_of(states, "autoencoder"), steps),
    "detector": lambda states, folder, steps: train_detector(folder, steps),
    "identity": lambda states, folder, steps: train_identity(folder, steps),
    "clip": lambda states, folder, steps: train_clip(folder, steps),
    "reader": lambda states, folder, steps: train_reader(folder, steps),
}
"""What trains each part, given the folder of all states, its own folder in it, and its steps. Order matters: later ones read earlier ones."""


def train_part(part: str, states: Path) -> None:
    """Run one training to its end."""
    TRAININGS[part](states, states / part, STEPS[part])


def train_on(states: Path, folder: Path) -> None:
    """Train the U-Net and the text encoder, then the motion adapter, of the finished base in `folder` on, and put the results back there.

    The autoencoder stays, since all else was trained on its latents.
    """
    base = load_base(str(folder), torch.device("cpu"), motion=True)
    pool = LatentPool(states / "pool", base.vae)
    drawing = train_unet(
        states / "unet_text", pool, base.tokenizer, base.text_encoder, STEPS["unet_text"], start=base.unet, train_text=True
    )
    unet = load_unet(drawing)
    base.text_encoder.load_state_dict(trained_part(drawing, "text_encoder"))
    base.text_encoder.eval().requires_grad_(False)
    noise_scheduler, encoders = build_noise_scheduler(), (base.tokenizer, base.text_encoder)
    state = train_motion_adapter(states / "motion", unet, noise_scheduler, base.vae, *encoders, STEPS["motion"], start=base.motion_adapter)
    export_motion_adapter(unet, state).half().save_pretrained(folder / "motion_adapter")
    unet.half().save_pretrained(folder / "unet")
    base.text_encoder.half().save_pretrained(folder / "text_encoder")
    load_as_float32(folder / "text_encoder" / "config.json")
