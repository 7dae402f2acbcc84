"""VideoDreamer's own: Disen-Mix finetuning (III-C, Eqs. 5 to 10) with LoRA and the visual adapter."""

from pathlib import Path

import torch
from PIL import Image

from vd_core.adapters import VisualAdapter, add_lora, save_lora, save_visual_adapter
from vd_core.bases import Base
from vd_core.data import build_data
from vd_core.optimisation import Progress
from vd_core.seeds import seed_for
from vd_core.subjects import Subject, extended_prompt, mixed_prompt
from vd_core.training import Settings
from vd_core.training import finetune as finetune_disen_mix


def finetune(
    base: Base,
    subjects: list[Subject],
    pictures: list[list[Image.Image]],
    mixed: list[Image.Image],
    settings: Settings,
    progress: Progress,
    folder: Path,
) -> None:
    """L1 + L2 + L3; without P_N, f_j or L3 where the settings turn them off (the paper's ablations)."""
    prompt = extended_prompt(subjects) if settings.stitch_prompt else mixed_prompt(subjects)
    data = build_data(base, pictures, mixed, [s.instance_prompt for s in subjects], prompt)
    add_lora(base, settings.lora_rank, settings.seed, settings.lora_targets)
    torch.manual_seed(seed_for("visual adapter", settings.seed))
    visual_adapter = VisualAdapter(base.text_encoder.config.hidden_size).to(base.device)
    finetune_disen_mix(base, visual_adapter, data, settings, progress)
    save_lora(base, folder)
    save_visual_adapter(visual_adapter, folder)
