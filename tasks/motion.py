"""mix (the clip's frames) → runs/<combination>/motion: the base generator finetuned on the reference clip (III-F)."""

from tasks.shared.command import replaced_folder, run_stage
from tasks.shared.opening import open_base
from tasks.shared.paths import run_folder
from tasks.shared.prepared import read_clip
from tasks.shared.progress import forget_progress, open_progress, publish_curves, publish_progress
from tasks.shared.sections import MotionSection
from vd_core.files import write_json
from vd_core.inputs.pictures import contact_sheet
from vd_core.methods.motion import finetune_motion, save_motion


def motion(section: MotionSection, name: str) -> None:
    """Finetune image and motion modules on the combination's reference clip, if it has one."""
    if section.prompt is None:
        with replaced_folder(name, "motion") as folder:
            write_json(folder / "motion.json", {"prompt": None})
        publish_curves(name, "motion", None)
        print(f"params.yaml: combinations.{name}.motion_prompt is null; using the base's own motion modules")
        return
    clip = read_clip(name)
    base = open_base(section.models, section.device, [], motion=True)
    progress = open_progress(name, "motion")
    with replaced_folder(name, "motion") as folder:
        model = finetune_motion(base, clip, section.prompt, section.training, progress)
        publish_progress(progress, folder, "Motion finetuning")
        save_motion(model, folder)
        contact_sheet([clip[i : i + 8] for i in range(0, len(clip), 8)]).save(folder / "reference.jpg", quality=90)
        write_json(folder / "motion.json", {"prompt": section.prompt})
    publish_curves(name, "motion", run_folder(name, "motion"))
    forget_progress(progress)


if __name__ == "__main__":
    run_stage(motion, MotionSection)
