"""The files that the judges are loaded from."""

from collections.abc import Sequence
from pathlib import Path

import torch

from vd_core.bases.hub import where
from vd_core.hub import Wanted
from vd_core.metrics.nouns import COCO_NOUNS, unknown_nouns
from vd_core.settings import PublicJudges

DETECTOR_URL = "https://download.pytorch.org/models/fasterrcnn_mobilenet_v3_large_fpn-fb6a3cc7.pth"
"""As torchvision names it; asking it takes seconds of imports, so a test compares."""
OPEN_FILES = (
    ("config.json",),
    ("model.safetensors",),
    ("preprocessor_config.json", "processor_config.json"),
    ("tokenizer.json", "vocab.json"),
)


def wanted_judges(judges: str | PublicJudges, class_nouns: Sequence[str]) -> list[Wanted]:
    """What `load_judges` reads: of a folder, or the public ones for subjects of `class_nouns`."""
    if isinstance(judges, PublicJudges):
        return wanted_public_judges(judges, class_nouns)
    weights = [
        Wanted(f"judge: {name}", judges, None, (("config.json",), (f"{name}.safetensors",))) for name in ("detector", "identity", "clip")
    ]
    return [*weights, Wanted("judge: tokenizer", str(Path(judges).parent / "tokenizer"), None, (("tokenizer.json", "vocab.json"),))]


def wanted_public_judges(judges: PublicJudges, class_nouns: Sequence[str]) -> list[Wanted]:
    """The paper's: torchvision's detector where it keeps it, and the repositories or folders of the others; OWLv2 only if a noun needs it."""
    checkpoints = str(Path(torch.hub.get_dir()) / "checkpoints")
    opened = judges.open_detector
    wanted = [
        Wanted("judge: detector", checkpoints, None, ((Path(DETECTOR_URL).name,),), DETECTOR_URL),
        Wanted(
            "judge: identity", where(judges.identity), judges.identity.revision, (("model.safetensors",),), sha256=judges.identity.sha256
        ),
        Wanted("judge: clip", where(judges.clip), judges.clip.revision, (("open_clip_model.safetensors",),), sha256=judges.clip.sha256),
        Wanted("judge: open detector", where(opened), opened.revision, OPEN_FILES),
    ]
    return wanted if unknown_nouns(COCO_NOUNS, class_nouns) else wanted[:-1]


def explain_open_detector(judges: str | PublicJudges, class_nouns: Sequence[str]) -> str | None:
    """Why the open detector is used, in one line; None if it is not."""
    if isinstance(judges, str) or not (unknown := unknown_nouns(COCO_NOUNS, class_nouns)):
        return None
    nouns, several = ", ".join(f"'{noun}'" for noun in unknown), len(unknown) > 1
    who = f"{judges.open_detector.path} looks for {'them' if several else 'it'}"
    return f"{nouns} {'are' if several else 'is'} not among the detector's {len(COCO_NOUNS)} nouns; {who}"
