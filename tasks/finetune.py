"""data, mix → runs/<combination>/finetune: the subjects' LoRA and visual adapter by Disen-Mix finetuning, or a peer's weights."""

from dataclasses import fields
from pathlib import Path

from PIL import Image

from tasks.command import open_base, open_subjects, replaced_folder, run_folder, run_stage, state_file
from vd_core.bases import Base
from vd_core.config import Params
from vd_core.images import find_pictures, load_square
from vd_core.methods import METHODS
from vd_core.plots import draw_losses
from vd_core.subjects import Subject
from vd_core.training import Settings


def settings_from(params: Params, steps: int) -> Settings:
    """The training's settings from params.yaml: finetune."""
    chosen = params.finetune
    given = {f.name: getattr(chosen, f.name) for f in fields(Settings) if f.name not in ("steps", "seed")}
    return Settings(steps=steps, seed=params.seed, **given)


def subject_pictures(base: Base, subjects: list[Subject]) -> list[list[Image.Image]]:
    """Each subject's pictures at the base's resolution."""
    return [[load_square(p, base.resolution) for p in find_pictures(s.folder)] for s in subjects]


def mixed_pictures(folder: Path, resolution: int) -> list[Image.Image]:
    """D_mix as the mix stage wrote it."""
    return [load_square(p, resolution) for p in sorted(folder.glob("[0-9]*.png"))]


def finetune_stage(params: Params, name: str) -> None:
    """Finetune the base on one combination by the method that params.yaml names."""
    _, subjects = open_subjects(params, name)
    base = open_base(params, subjects)
    mixed = mixed_pictures(run_folder(name, "mix"), base.resolution)
    method, settings = params.finetune.method, settings_from(params, params.finetune.steps)
    with replaced_folder(run_folder(name, "finetune")) as folder:
        METHODS[method](base, subjects, subject_pictures(base, subjects), mixed, settings, state_file(name, "finetune"), folder)
        draw_losses(folder / "losses.csv", folder / "losses.png", f"finetuning, {method}")
    state_file(name, "finetune").unlink(missing_ok=True)


if __name__ == "__main__":
    run_stage(finetune_stage)
