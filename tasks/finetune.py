"""data, mix → runs/<combination>/finetune: the subjects' LoRA and visual adapter by Disen-Mix finetuning, or a peer's weights."""

from tasks.shared.command import (
    forget_progress,
    launch,
    open_base,
    open_progress,
    open_subjects,
    publish_progress,
    replaced_folder,
    run_folder,
    run_stage,
)
from tasks.shared.params import Params
from tasks.shared.training import mixed_pictures, settings_from, subject_pictures, validated
from vd_core.methods.named import METHODS


def finetune_stage(params: Params, name: str) -> None:
    """Finetune the base on one combination by the method that params.yaml names."""
    if launch("tasks.finetune", name, params.finetune.processes):
        return
    _, subjects = open_subjects(params, name)
    base = open_base(params, subjects)
    mixed = mixed_pictures(run_folder(name, "mix"), base.resolution)
    method, settings = params.finetune.method, settings_from(params, "finetune", params.finetune.steps)
    progress = validated(open_progress(name, "finetune"), params, base, subjects)
    with replaced_folder(run_folder(name, "finetune")) as folder:
        METHODS[method](base, subjects, subject_pictures(base, subjects), mixed, settings, progress, folder)
        publish_progress(progress, folder, f"finetuning, {method}")
    forget_progress(progress)


if __name__ == "__main__":
    run_stage(finetune_stage)
