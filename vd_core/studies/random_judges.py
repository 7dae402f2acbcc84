"""Judges of the published size with random weights, in the files that the public ones are read from."""

from pathlib import Path

import open_clip
import timm
import torch
from safetensors.torch import save_file
from torchvision.models.detection import FasterRCNN_MobileNet_V3_Large_FPN_Weights, fasterrcnn_mobilenet_v3_large_fpn

from vd_core.settings import FilePart, Part, PublicJudges


def build_random_judges(folder: Path, torch_home: Path) -> PublicJudges:
    """Write the judges of identity and of text into `folder` and torchvision's detector into its place under `torch_home` (TORCH_HOME)."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)  # the libraries' initializations take no generator
    save_file(timm.create_model("vit_small_patch16_224.dino", pretrained=False, num_classes=0).state_dict(), folder / "model.safetensors")
    save_file(open_clip.create_model("ViT-B-32-quickgelu", pretrained=None).state_dict(), folder / "open_clip_model.safetensors")
    weights = torch_home / "hub" / "checkpoints" / Path(FasterRCNN_MobileNet_V3_Large_FPN_Weights.DEFAULT.url).name
    weights.parent.mkdir(parents=True, exist_ok=True)
    torch.save(fasterrcnn_mobilenet_v3_large_fpn(weights=None, weights_backbone=None).state_dict(), weights)
    file, nothing = FilePart(str(folder), None), Part(str(folder), None)
    return PublicJudges(file, file, nothing)  # no open detector lies there: none is loaded for subjects that COCO has a noun of
