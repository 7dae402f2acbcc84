"""refinetune, motion → runs/<combination>/swap: the customised generator eps_{theta,I',T_m} (III-F), in one folder."""

import json
import shutil

from tasks.shared.command import replaced_folder, run_folder, run_stage
from tasks.shared.params import Params
from vd_core.customisation.load import copy_customisation


def swap(params: Params, name: str) -> None:
    """Put the subjects' modules I' and the reference's motion modules T_m together; I_m is thrown away unless motion.swap is off."""
    motion = run_folder(name, "motion")
    with replaced_folder(run_folder(name, "swap")) as folder:
        copy_customisation(run_folder(name, "refinetune"), folder)
        has_motion = (motion / "motion_adapter").is_dir()
        if has_motion:
            shutil.copytree(motion / "motion_adapter", folder / "motion_adapter")
        naive = has_motion and not params.motion.swap
        if naive:
            shutil.copytree(motion / "image_modules", folder / "image_modules")
        about = {
            "image_modules": "the subjects' over the reference's (Naive-motion)" if naive else "the subjects'",
            "motion_modules": "the reference clip's" if has_motion else "the base's",
        }
        (folder / "generator.json").write_text(json.dumps(about, indent=1) + "\n")
    print("; ".join(f"{k.replace('_', ' ')}: {v}" for k, v in about.items()))


if __name__ == "__main__":
    run_stage(swap)
