"""LoRA on the U-Net and the text encoder, saved as diffusers' own LoRA file."""

from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from diffusers.loaders.lora_base import LoraBaseMixin
from diffusers.training_utils import cast_training_params
from diffusers.utils import convert_state_dict_to_diffusers, convert_state_dict_to_peft
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file

from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.weights import LORA_FILE
from vd_core.seeds import seed_for

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
UNET_TARGETS = {"attention": ATTENTION, "all": [*ATTENTION, "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2"]}
TEXT_TARGETS = ["q_proj", "k_proj", "v_proj", "out_proj"]


def add_lora(base: Base, rank: int, seed: int, targets: str = "attention") -> None:
    """Lay an untrained LoRA (a zero change) over the base's U-Net (`targets`: a key of UNET_TARGETS) and text encoder, in place, in float32."""
    torch.manual_seed(seed_for("lora", seed))
    base.unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=UNET_TARGETS[targets]))
    base.text_encoder.add_adapter(LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=TEXT_TARGETS))
    cast_training_params([base.unet, base.text_encoder], torch.float32)


def save_lora(base: Base, folder: Path) -> None:
    """Write the base's LoRA as `pytorch_lora_weights.safetensors`, which diffusers, and through it others, load.

    The U-Net's under peft's names: diffusers' conversion renames attention's layers alone, and its loader then ignores these.
    """
    StableDiffusionPipeline.save_lora_weights(
        folder,
        unet_lora_layers=get_peft_model_state_dict(base.unet, save_embedding_layers=False),
        text_encoder_lora_layers=convert_state_dict_to_diffusers(get_peft_model_state_dict(base.text_encoder, save_embedding_layers=False)),
    )


def load_lora(base: Base, folder: Path, trainable: bool = False) -> None:
    """Lay the LoRA of `folder` over the base, in place: added to its weights, which costs generation nothing; apart from them if `trainable`."""
    pipeline = base.pipeline(decodes=False)
    pipeline.load_lora_weights(folder, adapter_name="default")
    if not trainable:
        fuse(pipeline, ["default"])
        return
    exact = load_file(folder / LORA_FILE)
    for part, module in (("unet", base.unet), ("text_encoder", base.text_encoder)):
        for name, parameter in module.named_parameters():
            parameter.requires_grad_("lora_" in name)
        cast_training_params(module, torch.float32)  # diffusers has rounded it to the base's precision
        own = {k.removeprefix(f"{part}."): v for k, v in exact.items() if k.startswith(f"{part}.")}
        set_peft_model_state_dict(module, convert_state_dict_to_peft(own) if part == "text_encoder" else own)


def fuse(pipeline: LoraBaseMixin, names: list[str]) -> None:
    """Add the named LoRAs of `pipeline` to its weights, W + BA, and take them off."""
    pipeline.fuse_lora(adapter_names=names)
    pipeline.unload_lora_weights()
