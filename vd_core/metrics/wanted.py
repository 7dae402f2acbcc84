"""The files that the judges are loaded from."""

from pathlib import Path

import torch

from vd_core.hub import Wanted

DETECTOR_URL = "https://download.pytorch.org/models/fasterrcnn_mobilenet_v3_large_fpn-fb6a3cc7.pth"
IDENTITY, CLIP = "facebook/dino-vits16", "timm/vit_base_patch32_clip_224.openai"
"""As torchvision and open_clip name them; asking them takes seconds of imports, so a test compares."""


def wanted_judges(folder: str | None) -> list[Wanted]:
    """What `load_judges` reads: of a folder, or the public ones."""
    if folder is None:
        return wanted_public_judges()
    weights = [
        Wanted(f"judge: {name}", folder, None, (("config.json",), (f"{name}.safetensors",))) for name in ("detector", "identity", "clip")
    ]
    return [*weights, Wanted("judge: tokenizer", str(Path(folder).parent / "tokenizer"), None, (("tokenizer.json", "vocab.json"),))]


def wanted_public_judges() -> list[Wanted]:
    """The paper's, where torchvision, transformers and open_clip look for them."""
    checkpoints = str(Path(torch.hub.get_dir()) / "checkpoints")
    dino = (("config.json",), ("model.safetensors", "pytorch_model.bin"))
    return [
        Wanted("judge: detector", checkpoints, None, ((Path(DETECTOR_URL).name,),), DETECTOR_URL),
        Wanted("judge: identity", IDENTITY, None, dino),
        Wanted("judge: clip", CLIP, None, (("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),)),
    ]
