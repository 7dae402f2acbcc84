"""finetune, sample, picks → runs/<combination>/refinetune: finetuned again on the picked pictures (III-D)."""

import json
import shutil
from pathlib import Path

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
from tasks.shared.picks import read_candidates, read_picks, resolve_picks
from tasks.shared.training import settings_from, subject_pictures, validated
from vd_core.customisation.lora import load_lora, save_lora
from vd_core.customisation.visual_adapter import load_visual_adapter, save_visual_adapter
from vd_core.files import sha256_of
from vd_core.inputs.pictures import load_square
from vd_core.inputs.subjects import mixed_prompt
from vd_core.methods.disen_mix import train
from vd_core.training.data import build_data


def refinetune(params: Params, name: str) -> None:
    """Finetune again with Eq. 10: the picks replace D_mix, and P_c replaces P'_c, since the picks have no stitches."""
    if launch("tasks.refinetune", name, params.finetune.processes):
        return
    _, subjects = open_subjects(params, name)
    picks = read_picks(Path("picks") / f"{name}.yaml")
    paths = resolve_picks(picks, read_candidates(run_folder(name, "sample")), params.hlr.min_picks)
    before = run_folder(name, "finetune")
    if not paths or params.finetune.method != "disen_mix":
        with replaced_folder(run_folder(name, "refinetune")) as folder:
            shutil.copytree(before, folder, dirs_exist_ok=True)
        reason = "approval: skip" if not paths else f"{params.finetune.method} knows no re-finetuning"
        print(f"{reason}; the finetuned weights go on unchanged")
        return
    base = open_base(params, subjects)
    picked = [load_square(p, base.resolution) for p in paths]
    prompts = [s.instance_prompt for s in subjects]
    data = build_data(base, subject_pictures(base, subjects), picked, prompts, mixed_prompt(subjects))
    load_lora(base, before, trainable=True)
    visual_adapter = load_visual_adapter(before).to(base.device)
    progress = validated(open_progress(name, "refinetune"), params, base, subjects)
    with replaced_folder(run_folder(name, "refinetune")) as folder:
        train(base, visual_adapter, data, settings_from(params, "refinetune", params.hlr.refinetune_steps), progress)
        publish_progress(progress, folder, "Re-finetuning on the picks")
        save_lora(base, folder)
        save_visual_adapter(visual_adapter, folder)
        (folder / "picked.json").write_text(json.dumps([{"file": p.name, "sha256": sha256_of(p)} for p in paths], indent=1) + "\n")
    forget_progress(progress)


if __name__ == "__main__":
    run_stage(refinetune)
