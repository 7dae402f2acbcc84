"""data/<combination>/motion.mp4 → runs/<combination>/motion: the base generator finetuned on the reference clip (III-F)."""

import json
from pathlib import Path

from tasks.shared.command import forget_progress, open_base, open_progress, publish_progress, replaced_folder, run_folder, run_stage
from tasks.shared.params import Params
from vd_core.errors import InputError
from vd_core.inputs.clips import load_clip
from vd_core.inputs.pictures import contact_sheet
from vd_core.methods.motion import MotionSettings, finetune_motion, save_motion
from vd_core.seeds import seed_for


def motion(params: Params, name: str) -> None:
    """Finetune image and motion modules on the combination's reference clip, if it has one."""
    prompt = params.combination(name).motion_prompt
    clip_path = Path("data") / name / "motion.mp4"
    if prompt is None:
        with replaced_folder(run_folder(name, "motion")) as folder:
            (folder / "motion.json").write_text(json.dumps({"prompt": None}) + "\n")
        print(f"params.yaml: combinations.{name}.motion_prompt is null; the base's own motion modules are used")
        return
    if not clip_path.is_file():
        raise InputError(f"{clip_path} is missing; put the clip there, or set params.yaml: combinations.{name}.motion_prompt to null")
    base = open_base(params, [], motion=True)
    if base.motion_adapter is None:
        raise InputError(
            f"params.yaml: base '{params.base}' has no motion adapter; set combinations.{name}.motion_prompt to null, or take sd15"
        )
    clip = load_clip(clip_path, params.motion.frames, base.resolution)
    settings = MotionSettings(
        steps=params.motion.steps,
        learning_rate=params.motion.learning_rate,
        lora_rank=params.finetune.lora_rank,
        max_grad_norm=params.finetune.max_grad_norm,
        linear_decay=params.finetune.linear_decay,
        mixed_precision=params.finetune.mixed_precision,
        seed=seed_for("motion", params.seed),
    )
    progress = open_progress(name, "motion")
    with replaced_folder(run_folder(name, "motion")) as folder:
        model = finetune_motion(base, clip, prompt, settings, progress)
        publish_progress(progress, folder, "Motion finetuning")
        save_motion(model, folder)
        contact_sheet([clip[i : i + 8] for i in range(0, len(clip), 8)]).save(folder / "reference.jpg", quality=90)
        (folder / "motion.json").write_text(json.dumps({"prompt": prompt}) + "\n")
    forget_progress(progress)


if __name__ == "__main__":
    run_stage(motion)
