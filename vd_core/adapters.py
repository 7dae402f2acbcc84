"""What is trained: LoRA on the U-Net and the text encoder, and the visual adapter of Eq. 7. Saved as diffusers' own LoRA file."""

import json
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from diffusers.loaders.lora_base import LoraBaseMixin
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import nn

from vd_core.bases import Base
from vd_core.seeds import seed_for

LORA_FILE = "pytorch_lora_weights.safetensors"
ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
UNET_TARGETS = {"attention": ATTENTION, "all": [*ATTENTION, "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2"]}
TEXT_TARGETS = ["q_proj", "k_proj", "v_proj", "out_proj"]


class VisualAdapter(nn.Module):
    """Eq. 7: f_j = Adapter(E_I(x_mix,j)), a masked MLP with a skip connection.

    m = sigmoid(mask) * f;  f_j = Linear(ReLU(Linear(m))) + m. The mask starts at zero.
    """

    def __init__(self, width: int):
        super().__init__()
        self.mask = nn.Parameter(torch.zeros(width))
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, image_embeds: torch.Tensor) -> torch.Tensor:
        """Image embeddings `[b, width]` to image-specific embeddings f_j `[b, width]`."""
        masked = self.mask.sigmoid() * image_embeds
        return self.mlp(masked) + masked


def add_lora(base: Base, rank: int, seed: int, targets: str = "attention") -> None:
    """Lay an untrained LoRA (a zero change) over the base's U-Net (`targets`: a key of UNET_TARGETS) and text encoder, in place."""
    torch.manual_seed(seed_for("lora", seed))
    base.unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=UNET_TARGETS[targets]))
    base.text_encoder.add_adapter(LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=TEXT_TARGETS))


def trainable(module: nn.Module) -> list[nn.Parameter]:
    """The parameters of `module` that learn."""
    return [p for p in module.parameters() if p.requires_grad]


def save_lora(base: Base, folder: Path) -> None:
    """Write the base's LoRA as `pytorch_lora_weights.safetensors`, which diffusers, and through it others, load.

    The U-Net's under peft's names: diffusers' conversion renames attention's layers alone, and its loader then passes over these.
    """
    StableDiffusionPipeline.save_lora_weights(
        folder,
        unet_lora_layers=get_peft_model_state_dict(base.unet, save_embedding_layers=False),
        text_encoder_lora_layers=convert_state_dict_to_diffusers(get_peft_model_state_dict(base.text_encoder, save_embedding_layers=False)),
    )


def load_lora(base: Base, folder: Path, trainable: bool = False) -> None:
    """Lay the LoRA of `folder` over the base, in place: added to its weights, which costs generation nothing; apart from them if `trainable`."""
    pipeline = base.pipeline()
    pipeline.load_lora_weights(folder, adapter_name="default")
    if not trainable:
        fuse(pipeline, ["default"])
        return
    for module in (base.unet, base.text_encoder):
        for name, parameter in module.named_parameters():
            parameter.requires_grad_("lora_" in name)


def fuse(pipeline: LoraBaseMixin, names: list[str]) -> None:
    """Add the named LoRAs of `pipeline` to its weights, W + BA, and take them off."""
    pipeline.fuse_lora(adapter_names=names)
    pipeline.unload_lora_weights()


def save_visual_adapter(adapter: VisualAdapter, folder: Path) -> None:
    """Write the visual adapter beside the LoRA; it serves re-finetuning and never generation."""
    width = adapter.mask.numel()
    save_file({k: v.cpu() for k, v in adapter.state_dict().items()}, folder / "visual_adapter.safetensors", {"width": json.dumps(width)})


def load_visual_adapter(folder: Path) -> VisualAdapter:
    """Read what `save_visual_adapter` wrote."""
    weights = load_file(folder / "visual_adapter.safetensors")
    adapter = VisualAdapter(weights["mask"].numel())
    adapter.load_state_dict(weights)
    return adapter
