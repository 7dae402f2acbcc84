"""How a command ends badly."""

import sys
from typing import NoReturn

import typer

from vd_core.errors import DISK_FULL, InputError, means_full_disk, means_full_memory

LEARN_LESS = "finetune: {batch_per_subject: 1, batch_mixed: 1, schedule: {gradient_checkpointing: true}, validation: {every: 0}}"
SPARING = {
    "finetune": LEARN_LESS,
    "refinetune": LEARN_LESS,
    "motion": "motion: {finetune: false}",
    "render": "render: {low_vram: true, generators: [text2video_zero]}",
}
"""What of a combination in params.yaml makes a stage need less memory."""


def leave(said: str, code: int) -> NoReturn:
    """Print one line and exit."""
    print(said, file=sys.stderr, flush=True)
    raise typer.Exit(code) from None


def as_line(error: Exception, stage: str = "") -> str | None:
    """One line of what went wrong, and what to do, where a person can do something; None for a fault of ours."""
    said = str(error)
    if isinstance(error, InputError):
        return said
    if means_full_disk(said):
        return DISK_FULL
    if isinstance(error, MemoryError) or means_full_memory(said):
        whose = "GPU's" if any(words in said for words in ("CUDA", "CUBLAS", "CUDNN", "HIP")) else "computer's"
        advice = f", or set in params.yaml {SPARING[stage]}" if stage in SPARING else ""
        return f"the {whose} memory is full; end other programs that use it{advice}"
    return None
