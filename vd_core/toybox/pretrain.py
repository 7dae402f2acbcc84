"""The whole recipe of the embedded base, in order; every training goes on where it was stopped."""

from pathlib import Path

import torch
from diffusers import UNet2DConditionModel

from vd_core.bases import load_base
from vd_core.toybox.assemble import assemble, export_motion_adapter
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
    "unet_text": 2400,
    "motion": 700,
    "decoder": 900,
    "detector": 700,
    "identity": 400,
    "clip": 500,
    "reader": 600,
}
"""Optimiser steps of each training, as the weights in models/toybox had them (its README has the hours)."""


def pretrain(states: Path, target: Path) -> None:
    """Train all parts in `states` (outside git) and write them to `target`."""
    train_vae(states / "autoencoder", STEPS["autoencoder"])
    train_encoders(states / "encoders", STEPS["encoders"])
    vae = load_trained_vae(states / "autoencoder" / "state.safetensors")
    tokenizer, pair = load_trained_encoders(states / "encoders" / "state.safetensors")
    pool = LatentPool(states / "pool", vae)
    first = train_unet(states / "unet", pool, tokenizer, pair.text_encoder, STEPS["unet"])
    start = load_unet(first)
    second = train_unet(states / "unet_text", pool, tokenizer, pair.text_encoder, STEPS["unet_text"], start=start, train_text=True)
    pair.text_encoder.load_state_dict(trained_part(second, "text_encoder"))
    encoders = (tokenizer, pair.text_encoder.eval().requires_grad_(False))
    train_motion_adapter(states / "motion", load_unet(second), build_noise_scheduler(), vae, *encoders, STEPS["motion"])
    train_decoder(states / "decoder", states / "autoencoder" / "state.safetensors", STEPS["decoder"])
    judges = states / "judges"
    train_detector(judges / "detector", STEPS["detector"])
    train_identity(judges / "identity", STEPS["identity"])
    train_clip(judges / "clip", STEPS["clip"])
    train_reader(judges / "reader", STEPS["reader"])
    assemble(states, target)


def load_unet(state: Path) -> UNet2DConditionModel:
    """The averaged U-Net of a state of `train_unet`, frozen."""
    unet = build_unet()
    unet.load_state_dict(trained_part(state, "unet"))
    return unet.eval().requires_grad_(False)


def train_on(states: Path, folder: Path) -> None:
    """Train the U-Net and then the motion adapter of the finished base in `folder` on, and put the results back there.

    The autoencoder and the encoders stay, since all else was trained on what they say.
    """
    base = load_base(str(folder), torch.device("cpu"), motion=True)
    pool = LatentPool(states / "pool", base.vae)
    unet = load_unet(train_unet(states / "unet", pool, base.tokenizer, base.text_encoder, STEPS["unet"], start=base.unet))
    noise_scheduler, encoders = build_noise_scheduler(), (base.tokenizer, base.text_encoder)
    state = train_motion_adapter(states / "motion", unet, noise_scheduler, base.vae, *encoders, STEPS["motion"], start=base.motion_adapter)
    export_motion_adapter(unet, state).half().save_pretrained(folder / "motion_adapter")
    unet.half().save_pretrained(folder / "unet")
