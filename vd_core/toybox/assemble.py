"""The trained parts into `models/toybox`: the folder layout of `StableDiffusionPipeline.from_pretrained`, float16 safetensors."""

from pathlib import Path

from diffusers import MotionAdapter, StableDiffusionPipeline, UNetMotionModel
from transformers import CLIPImageProcessor

from vd_core.toybox.autoencoder import load_trained_vae
from vd_core.toybox.denoiser import build_noise_scheduler, build_unet
from vd_core.toybox.draw import SIZE
from vd_core.toybox.encoders import CLIP_MEAN, CLIP_STD, load_trained_encoders
from vd_core.toybox.judges import save_judges
from vd_core.toybox.motion_modules import build_motion_adapter
from vd_core.toybox.trainer import ema_weights

JUDGES = ("detector", "identity", "clip")


def assemble(states: Path, target: Path) -> None:
    """Write every part that `states` (the trainings' folder) holds; a missing part is left out."""
    processor = CLIPImageProcessor(
        size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE}, image_mean=list(CLIP_MEAN), image_std=list(CLIP_STD)
    )
    vae = load_trained_vae(states / "autoencoder" / "state.safetensors")
    tokenizer, pair = load_trained_encoders(states / "encoders" / "state.safetensors")
    unet = build_unet()
    unet.load_state_dict(ema_weights(states / "unet" / "state.safetensors"))
    pipeline = StableDiffusionPipeline(
        vae, pair.text_encoder, tokenizer, unet, build_noise_scheduler(), None, processor, pair.image_encoder, requires_safety_checker=False
    )
    motion_state = states / "motion" / "state.safetensors"
    if motion_state.exists():
        export_motion_adapter(unet, motion_state).half().save_pretrained(target / "motion_adapter")
    pipeline.to(dtype=_half()).save_pretrained(target)
    processor.save_pretrained(target / "image_encoder")
    judges = {name: states / "judges" / name / "state.safetensors" for name in JUDGES}
    save_judges({name: path for name, path in judges.items() if path.exists()}, target / "judges")


def export_motion_adapter(unet, state: Path) -> MotionAdapter:
    """The trained motion modules as a `MotionAdapter` for `unet`."""
    adapter = build_motion_adapter(unet)
    model = UNetMotionModel.from_unet2d(unet, adapter)
    weights = ema_weights(state)
    model.load_state_dict(weights)
    trained = {k: v for k, v in model.state_dict().items() if "motion_modules" in k}
    adapter.load_state_dict(trained)
    return adapter


def _half():
    import torch

    return torch.float16
