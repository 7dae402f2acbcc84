"""The names that other programs give to the same tensors."""

import re

import torch
from diffusers import MotionAdapter

from vd_core.export.low_rank import Factors, Lora

ANIMATEDIFF = {".attn1.": ".attention_blocks.0.", ".attn2.": ".attention_blocks.1.", ".norm1.": ".norms.0.", ".norm2.": ".norms.1."}
ANIMATEDIFF |= {".norm3.": ".ff_norm."}
MODULE = re.compile(r"(motion_modules\.\d+)\.")


def whole_name(layer: str) -> str:
    """A layer's name with the `text_model` that transformers had before version 5.6, and that all other programs know."""
    part, _, name = layer.partition(".")
    return f"{part}.text_model.{name}" if part == "text_encoder" else layer


def kohya_name(layer: str) -> str:
    """A layer's name in kohya-ss/sd-scripts, AUTOMATIC1111, Forge and ComfyUI: `lora_unet_...` or `lora_te_text_model_...`."""
    return "lora_" + whole_name(layer).replace("text_encoder", "te", 1).replace(".", "_")


def for_diffusers(lora: Lora) -> dict[str, torch.Tensor]:
    """A LoRA as diffusers' `load_lora_weights` takes it."""
    return {
        f"{whole_name(layer)}.{half}.weight": tensor
        for layer, factors in lora.items()
        for half, tensor in (("lora_A", factors.down), ("lora_B", factors.up))
    }


def for_kohya(lora: Lora) -> dict[str, torch.Tensor]:
    """A LoRA as kohya's sd-scripts write it; `alpha` is the rank, so that the change counts as it is."""
    return {f"{kohya_name(layer)}.{key}": tensor for layer, factors in lora.items() for key, tensor in kohya_tensors(factors).items()}


def kohya_tensors(factors: Factors) -> dict[str, torch.Tensor]:
    """The three tensors of a layer."""
    return {"lora_down.weight": factors.down, "lora_up.weight": factors.up, "alpha": torch.tensor(float(factors.rank))}


def for_full_differences(differences: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Whole differences as ComfyUI and AUTOMATIC1111 load them in the place of a LoRA."""
    return {f"{kohya_name(layer)}.diff": d for layer, d in differences.items()}


def for_animatediff(adapter: MotionAdapter) -> dict[str, torch.Tensor]:
    """Motion modules under AnimateDiff's original names, with the positions that diffusers computes and the original stores."""
    state = {animatediff_name(key): value for key, value in adapter.state_dict().items() if ".pos_embed." not in key}
    for key, value in adapter.named_buffers():
        block = key.removesuffix(".pos_embed.pe")
        if block != key:
            state |= {animatediff_name(f"{block}.{attention}.pos_encoder.pe"): value.clone() for attention in ("attn1", "attn2")}
    return state


def animatediff_name(key: str) -> str:
    """The original name of a motion module's tensor."""
    name = MODULE.sub(r"\1.temporal_transformer.", key, count=1)
    for ours, theirs in ANIMATEDIFF.items():
        name = name.replace(ours, theirs)
    return name
