"""A checkpoint of one file, in the layout of the original Stable Diffusion code, of a narrow model with the 1.x family's blocks."""

import json
import re
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from vd_core.bases.published import CONFIGS, build_part

NARROW = {
    "unet": {"block_out_channels": [32, 64, 64, 64]},
    "vae": {"block_out_channels": [32, 32, 32, 32]},
    "text_encoder": {"num_hidden_layers": 1, "intermediate_size": 64},
}
RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3"}
RESNET |= {"time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection"}
ENDS = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2", "conv_in": "input_blocks.0.0"}
ENDS |= {"conv_norm_out": "out.0", "conv_out": "out.2"}
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def write_narrow_configs(folder: Path) -> None:
    """The 1.x family's configurations, narrow but for the text's width."""
    shutil.copytree(CONFIGS / "sd15", folder / "sd15")
    for part, values in NARROW.items():
        path = folder / "sd15" / part / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | values))


def write_single_file(path: Path) -> dict[str, torch.nn.Module]:
    """A random model by the configurations as they stand, as one file. Returns its parts."""
    torch.manual_seed(0)
    parts = {part: build_part("sd15", part) for part in NARROW}
    state = {f"model.diffusion_model.{unet_name(k)}": v for k, v in parts["unet"].state_dict().items()}
    state |= {f"cond_stage_model.transformer.text_model.{k}": v for k, v in parts["text_encoder"].state_dict().items()}
    for key, value in parts["vae"].state_dict().items():
        matrix = ".attentions." in key and key.endswith("weight") and "norm" not in key
        state[f"first_stage_model.{vae_name(key)}"] = value[..., None, None] if matrix else value
    save_file({k: v.contiguous() for k, v in state.items()}, path)
    return parts


def unet_name(key: str) -> str:
    """The original name of a U-Net's weight."""
    for new, old in ENDS.items():
        if key.startswith(new + "."):
            return key.replace(new, old, 1)
    if ".resnets." in key:
        for new, old in RESNET.items():
            key = key.replace(f".{new}.", f".{old}.")
    key = re.sub(r"^mid_block.resnets.(\d)", lambda m: f"middle_block.{2 * int(m[1])}", key)
    key = key.replace("mid_block.attentions.0", "middle_block.1")
    key = re.sub(r"^down_blocks.(\d).resnets.(\d)", lambda m: f"input_blocks.{3 * int(m[1]) + int(m[2]) + 1}.0", key)
    key = re.sub(r"^down_blocks.(\d).attentions.(\d)", lambda m: f"input_blocks.{3 * int(m[1]) + int(m[2]) + 1}.1", key)
    key = re.sub(r"^down_blocks.(\d).downsamplers.0.conv", lambda m: f"input_blocks.{3 * int(m[1]) + 3}.0.op", key)
    key = re.sub(r"^up_blocks.(\d).resnets.(\d)", lambda m: f"output_blocks.{3 * int(m[1]) + int(m[2])}.0", key)
    key = re.sub(r"^up_blocks.(\d).attentions.(\d)", lambda m: f"output_blocks.{3 * int(m[1]) + int(m[2])}.1", key)
    return re.sub(r"^up_blocks.(\d).upsamplers.0", lambda m: f"output_blocks.{3 * int(m[1]) + 2}.{1 if m[1] == '0' else 2}", key)


def vae_name(key: str) -> str:
    """The original name of an autoencoder's weight."""
    if ".attentions." in key:
        for new, old in ATTENTION.items():
            key = key.replace(f".{new}.", f".{old}.")
    key = key.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out").replace("mid_block.attentions.0", "mid.attn_1")
    key = re.sub(r"mid_block.resnets.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", key)
    key = re.sub(r"down_blocks.(\d).resnets.(\d)", r"down.\1.block.\2", key)
    key = re.sub(r"down_blocks.(\d).downsamplers.0", r"down.\1.downsample", key)
    key = re.sub(r"up_blocks.(\d).resnets.(\d)", lambda m: f"up.{3 - int(m[1])}.block.{m[2]}", key)
    return re.sub(r"up_blocks.(\d).upsamplers.0", lambda m: f"up.{3 - int(m[1])}.upsample", key)
