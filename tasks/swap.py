"""refinetune, motion → runs/<combination>/swap: the customized generator eps_{theta,I',T_m} (III-F), in one folder."""

import shutil

from tasks.shared.command import replaced_folder, run_stage
from tasks.shared.paths import run_folder
from tasks.shared.sections import SwapSection
from vd_core.customisation.weights import copy_customisation
from vd_core.files import write_json


def swap(section: SwapSection, name: str) -> None:
    """Put the subjects' modules I' and the reference's motion modules T_m together; I_m is thrown away unless motion.swap is off."""
    motion = run_folder(name, "motion")
    with replaced_folder(name, "swap") as folder:
        copy_customisation(run_folder(section.finetune_from, "refinetune"), folder)
        has_motion = (motion / "motion_adapter").is_dir()
        if has_motion:
            shutil.copytree(motion / "motion_adapter", folder / "motion_adapter")
        naive = has_motion and not section.swap
        if naive:
            shutil.copytree(motion / "image_modules", folder / "image_modules")
        about = {
            "image_modules": "the subjects' over the reference's (Naive-motion)" if naive else "the subjects'",
            "motion_modules": "the reference clip's" if has_motion else "the base's",
        }
        write_json(folder / "generator.json", about)
    print("; ".join(f"{k.replace('_', ' ')}: {v}" for k, v in about.items()))


if __name__ == "__main__":
    run_stage(swap, SwapSection)
