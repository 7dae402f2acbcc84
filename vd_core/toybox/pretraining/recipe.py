"""The whole recipe of the embedded base: its trainings, in order; every one goes on where it was stopped."""

from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import AutoencoderKL, MotionAdapter, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from vd_core.bases.stable_diffusion import folder_source, load_base
from vd_core.toybox.pretraining.accessory_training import train_accessories
from vd_core.toybox.pretraining.assemble import export_motion_adapter
from vd_core.toybox.pretraining.autoencoder import SECOND, THIRD, load_trained_vae, train_vae
from vd_core.toybox.pretraining.contrastive import ContrastivePair, load_trained_encoders, train_encoders, train_image_encoder
from vd_core.toybox.pretraining.denoiser import (
    CROWDED,
    SLIDING,
    SPREAD,
    LatentPool,
    build_noise_scheduler,
    build_unet,
    train_unet,
    trained_part,
)
from vd_core.toybox.pretraining.judges import train_clip, train_detector, train_identity
from vd_core.toybox.pretraining.motion_modules import LAST_OFFSET, OWN_OFFSET, own_motion_scene, sample_even_timesteps, train_motion_adapter
from vd_core.toybox.pretraining.reader_training import train_places, train_reader
from vd_core.toybox.pretraining.trainer import ema_weights
from vd_core.toybox.pretraining.words import place_directions, place_rare_words

ON_LR, LAST_LR = 4e-4, 5e-4
TOYS_COUNT_MORE = 4.0
STEPS = {
    "autoencoder": 2100,
    "encoders": 800,
    "unet": 4674,
    "unet_text": 11_400,
    "autoencoder_on": 3600,
    "unet_on": 4700,
    "autoencoder_last": 7000,
    "unet_last": 1600,
    "motion": 9600,
    "motion_last": 2400,
    "unet_crowds": 6000,
    "motion_own": 2000,
    "image_encoder": 5300,
    "detector": 3100,
    "identity": 1300,
    "clip": 500,
    "reader": 5600,
    "places": 3000,
    "accessories": 1600,
}
"""Optimizer steps of each training, as the weights in models/toybox had them (its README has the hours); "unet_crowds" and "motion_own" are those of training on."""


def state_of(states: Path, part: str) -> Path:
    """The state file of a training."""
    return states / part / "state.safetensors"


def load_vae(states: Path, training: str) -> AutoencoderKL:
    """The autoencoder as it came out of one of its trainings, frozen."""
    return load_trained_vae(state_of(states, training))


def load_text(states: Path, drawing: str | None = None) -> tuple[CLIPTokenizer, ContrastivePair]:
    """Tokenizer and frozen encoders: as contrastively trained, or with the text encoder that came out of the training called `drawing`.

    The latter's rare words, left and right are put where they can be told apart.
    """
    tokenizer, pair = load_trained_encoders(state_of(states, "encoders"))
    if drawing:
        pair.text_encoder.load_state_dict(trained_part(state_of(states, drawing), "text_encoder"))
        place_rare_words(pair.text_encoder, tokenizer)
        place_directions(pair.text_encoder, tokenizer)
    return tokenizer, pair.eval().requires_grad_(False)


def load_unet(state: Path) -> UNet2DConditionModel:
    """The averaged U-Net of a state of `train_unet`, frozen."""
    unet = build_unet()
    unet.load_state_dict(trained_part(state, "unet"))
    return unet.eval().requires_grad_(False)


def train_first_unet(states: Path, folder: Path, steps: int) -> None:
    """From nothing, on the contrastive text encoder."""
    tokenizer, pair = load_text(states)
    train_unet(folder, LatentPool(states / "pool", load_vae(states, "autoencoder")), tokenizer, pair.text_encoder, steps)


def train_unet_and_text(states: Path, folder: Path, steps: int) -> None:
    """On from there, the text encoder learning too."""
    tokenizer, pair = load_text(states)
    pool, start = LatentPool(states / "pool", load_vae(states, "autoencoder")), load_unet(state_of(states, "unet"))
    train_unet(folder, pool, tokenizer, pair.text_encoder, steps, start=start, train_text=True)


def train_unet_on(states: Path, folder: Path, steps: int) -> None:
    """On from there with the better autoencoder's latents, mostly of two toys; the text encoder stays."""
    tokenizer, pair = load_text(states, "unet_text")
    pool = LatentPool(states / "pool_on", load_vae(states, "autoencoder_on"), CROWDED)
    train_unet(folder, pool, tokenizer, pair.text_encoder, steps, start=load_unet(state_of(states, "unet_text")), peak_lr=ON_LR)


def train_last_unet(states: Path, folder: Path, steps: int) -> None:
    """On from there with the last autoencoder's latents; in four in ten pictures all toys slide, since little in a frame tells left from right."""
    tokenizer, pair = load_text(states, "unet_text")
    pool, start = LatentPool(states / "pool_last", load_vae(states, "autoencoder_last"), SLIDING), load_unet(state_of(states, "unet_on"))
    train_unet(folder, pool, tokenizer, pair.text_encoder, steps, start=start, peak_lr=LAST_LR)


def train_motion(states: Path, folder: Path, steps: int) -> None:
    """The motion adapter, on the finished U-Net."""
    tokenizer, pair = load_text(states, "unet_text")
    unet, vae = load_unet(state_of(states, "unet_last")), load_vae(states, "autoencoder_last")
    train_motion_adapter(folder, unet, build_noise_scheduler(), vae, tokenizer, pair.text_encoder, steps)


def train_last_motion(states: Path, folder: Path, steps: int) -> None:
    """On from there with timesteps from all of them, on other clips."""
    tokenizer, pair = load_text(states, "unet_text")
    unet, vae = load_unet(state_of(states, "unet_last")), load_vae(states, "autoencoder_last")
    start = export_motion_adapter(unet, state_of(states, "motion"))
    data = (vae, tokenizer, pair.text_encoder)
    train_motion_adapter(
        folder, unet, build_noise_scheduler(), *data, steps, start=start, sample_timesteps=sample_even_timesteps, offset=LAST_OFFSET
    )


def train_motion_on(
    folder: Path,
    unet: UNet2DConditionModel,
    vae: AutoencoderKL,
    tokenizer: CLIPTokenizer,
    text_encoder: CLIPTextModel,
    steps: int,
    start: MotionAdapter,
) -> Path:
    """A finished motion adapter on, on clips of own motions and with timesteps from all of them; the state file."""
    data = (vae, tokenizer, text_encoder)
    own = {"sample_timesteps": sample_even_timesteps, "offset": OWN_OFFSET, "scene_of": own_motion_scene}
    return train_motion_adapter(folder, unet, build_noise_scheduler(), *data, steps, start=start, **own)


TRAININGS: dict[str, Callable[[Path, Path, int], object]] = {
    "autoencoder": lambda states, folder, steps: train_vae(folder, steps),
    "encoders": lambda states, folder, steps: train_encoders(folder, steps),
    "unet": train_first_unet,
    "unet_text": train_unet_and_text,
    "autoencoder_on": lambda states, folder, steps: train_vae(folder, steps, SECOND, load_vae(states, "autoencoder")),
    "unet_on": train_unet_on,
    "autoencoder_last": lambda states, folder, steps: train_vae(folder, steps, THIRD, load_vae(states, "autoencoder_on")),
    "unet_last": train_last_unet,
    "motion": train_motion,
    "motion_last": train_last_motion,
    "image_encoder": lambda states, folder, steps: train_image_encoder(folder, steps, load_text(states, "unet_text")[1]),
    "detector": lambda states, folder, steps: train_detector(folder, steps),
    "identity": lambda states, folder, steps: train_identity(folder, steps),
    "clip": lambda states, folder, steps: train_clip(folder, steps),
    "reader": lambda states, folder, steps: train_reader(folder, steps),
    "places": lambda states, folder, steps: train_places(folder, steps, ema_weights(state_of(states, "reader"))),
    "accessories": lambda states, folder, steps: train_accessories(folder, steps),
}
"""What trains each part, given the folder of all states, its own folder in it, and its steps. Order matters: later ones read earlier ones."""


def train_part(part: str, states: Path) -> None:
    """Run one training to its end."""
    TRAININGS[part](states, states / part, STEPS[part])


def train_on(states: Path, folder: Path) -> None:
    """Train the U-Net on crowds, then the motion adapter on own motions, of the finished base in `folder` on, and put the results back there.

    The autoencoder and the text encoder stay, since all else was trained on what they say.
    """
    base = load_base(folder_source(folder), torch.device("cpu"))
    pool = LatentPool(states / "pool", base.vae, SPREAD)
    data, more = (base.vae, base.tokenizer, base.text_encoder), {"peak_lr": LAST_LR, "toys_count_more": TOYS_COUNT_MORE}
    unet = load_unet(train_unet(states / "unet", pool, *data[1:], STEPS["unet_crowds"], start=base.unet, **more))
    state = train_motion_on(states / "motion", unet, *data, STEPS["motion_own"], base.motion_adapter)
    export_motion_adapter(unet, state).half().save_pretrained(folder / "motion_adapter")
    unet.half().save_pretrained(folder / "unet")
