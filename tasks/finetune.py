"""data, mix → runs/<combination>/finetune: the subjects' LoRA and visual adapter, by Disen-Mix finetuning."""

from pathlib import Path

import torch
from PIL import Image

from tasks.command import open_base, open_subjects, replaced_folder, run_folder, run_stage, state_file
from vd_core.adapters import VisualAdapter, add_lora, save_lora, save_visual_adapter
from vd_core.bases import Base
from vd_core.config import Params
from vd_core.data import build_data
from vd_core.images import find_pictures, load_square
from vd_core.plots import draw_losses
from vd_core.subjects import Subject, extended_prompt
from vd_core.training import Settings, finetune


def settings_from(params: Params, steps: int) -> Settings:
    """The training's settings from params.yaml: finetune."""
    chosen = params.finetune
    return Settings(
        steps=steps,
        learning_rate=chosen.learning_rate,
        text_encoder_learning_rate=chosen.text_encoder_learning_rate,
        weak_denoising=chosen.weak_denoising,
        batch_per_subject=chosen.batch_per_subject,
        batch_mixed=chosen.batch_mixed,
        max_grad_norm=chosen.max_grad_norm,
        linear_decay=chosen.linear_decay,
        mixed_precision=chosen.mixed_precision,
        seed=params.seed,
    )


def subject_pictures(base: Base, subjects: list[Subject]) -> list[list[Image.Image]]:
    """Each subject's pictures at the base's resolution."""
    return [[load_square(p, base.resolution) for p in find_pictures(s.folder)] for s in subjects]


def mixed_pictures(folder: Path, resolution: int) -> list[Image.Image]:
    """D_mix as the mix stage wrote it."""
    return [load_square(p, resolution) for p in sorted(folder.glob("[0-9]*.png"))]


def finetune_stage(params: Params, name: str) -> None:
    """Finetune the base on one combination (Eqs. 5 to 10)."""
    _, subjects = open_subjects(params, name)
    base = open_base(params, subjects)
    mixed = mixed_pictures(run_folder(name, "mix"), base.resolution)
    prompts = [s.instance_prompt for s in subjects]
    data = build_data(base, subject_pictures(base, subjects), mixed, prompts, extended_prompt(subjects))
    add_lora(base, params.finetune.lora_rank, params.seed, params.finetune.lora_targets)
    torch.manual_seed(params.seed)
    visual_adapter = VisualAdapter(base.text_encoder.config.hidden_size).to(base.device)
    with replaced_folder(run_folder(name, "finetune")) as folder:
        settings = settings_from(params, params.finetune.steps)
        finetune(base, visual_adapter, data, settings, state_file(name, "finetune"), folder / "losses.csv")
        draw_losses(folder / "losses.csv", folder / "losses.png", "Disen-Mix finetuning")
        save_lora(base, folder)
        save_visual_adapter(visual_adapter, folder)
    state_file(name, "finetune").unlink(missing_ok=True)


if __name__ == "__main__":
    run_stage(finetune_stage)
