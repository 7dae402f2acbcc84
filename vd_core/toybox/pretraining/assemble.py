"""The trained parts into `models/toybox`: the folder layout of `StableDiffusionPipeline.from_pretrained`, float16 safetensors."""

import json
import shutil
from pathlib import Path

import torch
from diffusers import MotionAdapter, StableDiffusionPipeline, UNet2DConditionModel, UNetMotionModel
from transformers import CLIPImageProcessor

from vd_core.toybox.pretraining.autoencoder import load_trained_vae
from vd_core.toybox.pretraining.contrastive import CLIP_MEAN, CLIP_STD, load_trained_encoders
from vd_core.toybox.pretraining.denoiser import build_noise_scheduler, build_unet, trained_part
from vd_core.toybox.pretraining.encoders import save_text_head
from vd_core.toybox.pretraining.judges import save_judges
from vd_core.toybox.pretraining.motion_modules import build_motion_adapter
from vd_core.toybox.pretraining.trainer import ema_weights
from vd_core.toybox.world.draw import SIZE

JUDGES = {"detector": "detector", "identity": "identity", "clip": "clip", "reader": "places", "accessories": "accessories"}
"""Files of judges, and the last training of each."""


def assemble(states: Path, target: Path) -> None:
    """Write the base that `states` (the trainings' folder) holds; FileNotFoundError if a training has not been run."""
    processor = CLIPImageProcessor(
        size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}, image_mean=list(CLIP_MEAN), image_std=list(CLIP_STD)
    )
    vae = load_trained_vae(states / "autoencoder_last" / "state.safetensors")
    tokenizer, pair = load_trained_encoders(states / "image_encoder" / "state.safetensors")
    unet = build_unet()
    unet.load_state_dict(trained_part(states / "unet_last" / "state.safetensors", "unet"))
    export_motion_adapter(unet, states / "motion_last" / "state.safetensors").half().save_pretrained(target / "motion_adapter")
    pipeline = StableDiffusionPipeline(
        vae, pair.text_encoder, tokenizer, unet, build_noise_scheduler(), None, processor, pair.image_encoder, requires_safety_checker=False
    )
    pipeline.to(dtype=torch.float16).save_pretrained(target)
    processor.save_pretrained(target / "image_encoder")
    for part in ("text_encoder", "image_encoder"):
        load_as_float32(target / part / "config.json")
    (target / "judges").mkdir(parents=True, exist_ok=True)
    save_text_head(pair.text_head, target)
    save_judges({name: states / training / "state.safetensors" for name, training in JUDGES.items()}, target / "judges")


def publish_logs(states: Path, target: Path) -> None:
    """Copy the curve of every training that has one to `target/<training>.csv`, where `dvc plots` looks."""
    target.mkdir(parents=True, exist_ok=True)
    for log in sorted(states.glob("*/log.csv")):
        shutil.copy(log, target / f"{log.parent.name}.csv")


def load_as_float32(config: Path) -> None:
    """Let transformers load a float16 part as float32, as diffusers loads its own parts, so that they fit together."""
    config.write_text(json.dumps(json.loads(config.read_text()) | {"dtype": "float32"}, indent=2) + "\n")


def export_motion_adapter(unet: UNet2DConditionModel, state: Path) -> MotionAdapter:
    """The trained motion modules as a `MotionAdapter` for `unet`."""
    adapter = build_motion_adapter(unet)
    model = UNetMotionModel.from_unet2d(unet, adapter)
    model.load_state_dict(ema_weights(state))
    adapter.load_state_dict({k: v for k, v in model.state_dict().items() if "motion_modules" in k})
    return adapter
