"""The rules by which other programs find a LoRA's layers, written down as tables: which names they know, and what they do with the tensors."""

import torch
from diffusers import UNet2DConditionModel
from torch import nn

COMFY_RESNET = ("conv1", "conv2", "time_emb_proj", "conv_shortcut")
COMFY_TRANSFORMER = ("proj_in", "proj_out")
COMFY_BLOCK = [f"attn{i}.{part}" for i in (1, 2) for part in ("to_q", "to_k", "to_v", "to_out.0")] + ["ff.net.0.proj", "ff.net.2"]
COMFY_BASIC = ("conv_in", "conv_out", "time_embedding.linear_1", "time_embedding.linear_2")
COMFY_TEXT = ("mlp_fc1", "mlp_fc2", "self_attn_k_proj", "self_attn_q_proj", "self_attn_v_proj", "self_attn_out_proj")
SD_SCRIPTS_UNET = ("Transformer2DModel", "ResnetBlock2D", "Downsample2D", "Upsample2D")
SD_SCRIPTS_TEXT = ("CLIPAttention", "CLIPSdpaAttention", "CLIPMLP")


def comfyui_names(unet: UNet2DConditionModel, layers: int = 32) -> set[str]:
    """What ComfyUI's `model_lora_keys_unet` and `model_lora_keys_clip` know: built from the configuration, as its `unet_to_diffusers` does."""
    config, found = unet.config, list(COMFY_BASIC)
    last = len(config["block_out_channels"]) - 1
    blocks = [("mid_block", "UNetMidBlock2DCrossAttn", 2)]
    blocks += [(f"down_blocks.{i}", kind, config["layers_per_block"]) for i, kind in enumerate(config["down_block_types"])]
    blocks += [(f"up_blocks.{i}", kind, config["layers_per_block"] + 1) for i, kind in enumerate(config["up_block_types"])]
    for block, kind, count in blocks:
        found += [f"{block}.resnets.{i}.{part}" for i in range(count) for part in COMFY_RESNET]
        if "CrossAttn" in kind:
            found += [f"{block}.attentions.{i}.{part}" for i in range(count) for part in COMFY_TRANSFORMER]
            found += [f"{block}.attentions.{i}.transformer_blocks.0.{part}" for i in range(count) for part in COMFY_BLOCK]
    found += [f"down_blocks.{i}.downsamplers.0.conv" for i in range(last)] + [f"up_blocks.{i}.upsamplers.0.conv" for i in range(last)]
    text = {f"lora_te_text_model_encoder_layers_{i}_{part}" for i in range(layers) for part in COMFY_TEXT}
    return {"lora_unet_" + name.replace(".", "_") for name in found} | text


def sd_scripts_names(unet: nn.Module, text_encoder: nn.Module) -> set[str]:
    """What the `LoRANetwork` of kohya's sd-scripts makes of a file's layers: the linear and convolutional children of modules of these classes."""
    found = set()
    for prefix, root, kinds in (("lora_unet", unet, SD_SCRIPTS_UNET), ("lora_te_text_model", text_encoder, SD_SCRIPTS_TEXT)):
        for name, module in root.named_modules():
            if type(module).__name__ in kinds:
                children = [f"{name}.{child}" for child, m in module.named_modules() if isinstance(m, nn.Linear | nn.Conv2d)]
                found |= {f"{prefix}.{child}".replace(".", "_") for child in children}
    return found


def layers_of(state: dict[str, torch.Tensor]) -> set[str]:
    """The layers that a file in kohya's names holds."""
    return {key.split(".")[0] for key in state}


def added_weight(state: dict[str, torch.Tensor], layer: str, like: torch.Tensor) -> torch.Tensor:
    """What ComfyUI, A1111 and sd-scripts add to a weight: `alpha / rank * up @ down`, or a full difference, in the weight's shape."""
    if f"{layer}.diff" in state:
        return state[f"{layer}.diff"]
    up, down, alpha = (state[f"{layer}.{part}"] for part in ("lora_up.weight", "lora_down.weight", "alpha"))
    return (alpha / down.shape[0] * (up.flatten(1) @ down.flatten(1))).reshape(like.shape)
