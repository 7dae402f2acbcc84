"""The files that the judges are loaded from."""

from pathlib import Path

import torch

from vd_core.bases.hub import where
from vd_core.hub import Wanted
from vd_core.settings import PublicJudges

DETECTOR_URL = "https://download.pytorch.org/models/fasterrcnn_mobilenet_v3_large_fpn-fb6a3cc7.pth"
"""As torchvision names it; asking it takes seconds of imports, so a test compares."""


def wanted_judges(judges: str | PublicJudges) -> list[Wanted]:
    """What `load_judges` reads: of a folder, or the public ones."""
    if isinstance(judges, PublicJudges):
        return wanted_public_judges(judges)
    weights = [
        Wanted(f"judge: {name}", judges, None, (("config.json",), (f"{name}.safetensors",))) for name in ("detector", "identity", "clip")
    ]
    return [*weights, Wanted("judge: tokenizer", str(Path(judges).parent / "tokenizer"), None, (("tokenizer.json", "vocab.json"),))]


def wanted_public_judges(judges: PublicJudges) -> list[Wanted]:
    """The paper's: torchvision's detector where it keeps it, and the repositories or folders of the other two."""
    checkpoints = str(Path(torch.hub.get_dir()) / "checkpoints")
    return [
        Wanted("judge: detector", checkpoints, None, ((Path(DETECTOR_URL).name,),), DETECTOR_URL),
        Wanted("judge: identity", where(judges.identity), judges.identity.revision, (("model.safetensors",),)),
        Wanted("judge: clip", where(judges.clip), judges.clip.revision, (("open_clip_model.safetensors",),)),
    ]
