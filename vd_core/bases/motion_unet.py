"""A picture U-Net with motion modules between its own: what AnimateDiff samples and what motion finetuning trains."""

import torch
from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel


def build_motion_unet(unet: UNet2DConditionModel, motion_adapter: MotionAdapter) -> UNetMotionModel:
    """The video model, frozen. It holds the very tensors of both: diffusers' own `from_unet2d` copies them, which takes as much again."""
    with torch.device("meta"):
        model = UNetMotionModel.from_unet2d(unet, motion_adapter, load_weights=False)
    model.load_state_dict({**unet.state_dict(), **motion_adapter.state_dict()}, assign=True)
    return model.requires_grad_(False).eval()
