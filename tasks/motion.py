"""mix (the clip's frames, the subjects' nouns) → runs/<combination>/motion: the base generator's motion modules finetuned for the reference clip (III-F)."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from tasks.shared.command import replaced_folder, run_stage
from tasks.shared.judging import open_judges_of
from tasks.shared.opening import open_base
from tasks.shared.paths import run_folder
from tasks.shared.prepared import read_clip, read_nouns
from tasks.shared.progress import forget_progress, open_progress, publish_curves, publish_progress
from tasks.shared.sections import MotionSection
from vd_core.bases.stable_diffusion import Base
from vd_core.files import write_json
from vd_core.inputs.copies import Cast, Copy, Reference, draw_copy, read_reference
from vd_core.inputs.pictures import contact_sheet
from vd_core.methods.cast import draw_cast, show_cast
from vd_core.methods.motion import Validate, finetune_motion, save_motion, whole_clip
from vd_core.methods.motion_validation import build_motion_validation
from vd_core.metrics.find_subject import find_with
from vd_core.seeds import seed_for
from vd_core.settings import MotionSettings
from vd_core.training.loop import Progress

SHOWN = 6
"""Copies on the contact sheet."""


def motion(section: MotionSection, name: str) -> None:
    """Finetune the motion modules for the combination's reference clip, if it has one."""
    if section.prompt is None:
        with replaced_folder(name, "motion") as folder:
            write_json(folder / "motion.json", {"prompt": None})
        publish_curves(name, "motion", None)
        print(f"combinations.{name}: motion_prompt is null or motion.finetune is false; using the base's own motion modules")
        return
    clip = read_clip(name)
    base = open_base(section.models, section.device, [], motion=True)
    progress = open_progress(name, "motion")
    with replaced_folder(name, "motion") as folder:
        copies, validate = prepare(section, name, base, clip, progress, folder)
        model = finetune_motion(base, copies, section.training, progress, validate)
        publish_progress(progress, folder, "Motion finetuning")
        save_motion(model, folder)
        contact_sheet([clip[i : i + 8] for i in range(0, len(clip), 8)]).save(folder / "reference.jpg", quality=90)
        write_json(folder / "motion.json", {"prompt": section.prompt})
    publish_curves(name, "motion", run_folder(name, "motion"))
    forget_progress(progress)


def prepare(
    section: MotionSection, name: str, base: Base, clip: list[Image.Image], progress: Progress, folder: Path
) -> tuple[Iterable[Copy], Validate | None]:
    """What is learned from: the clip, or its copies; and a validation if the settings want one."""
    training, prompt = section.training, section.prompt or ""
    if not training.copies:
        return [whole_clip(clip, prompt)], None
    nouns, frames = list(dict.fromkeys(read_nouns(name))), np.stack([np.array(frame) for frame in clip])
    find = find_with(open_judges_of(section.judging, section.device, nouns))
    reference = read_reference(frames, prompt, [find(frame, None) for frame in frames], len(nouns))
    cast = draw_cast(base, find, nouns, training.places, training.actors, section.sampling, training.schedule.seed)
    say_what_was_found(reference, cast, nouns)
    if rows := show_cast(cast, base.resolution):
        contact_sheet(rows).save(folder / "cast.jpg", quality=90)
    validate = None
    if training.validation.every:
        validate = build_motion_validation(base, find, reference, nouns, training, section.sampling, progress.folder)
    return draw_copies(reference, cast, training, folder / "copies.jpg"), validate


def say_what_was_found(reference: Reference, cast: Cast, nouns: list[str]) -> None:
    """What the copies can be made of."""
    if not len(reference.paths):
        print("nothing that moves was found in the clip; its copies are the clip itself in other colors")
    found = ", ".join(f"{len(cast.actors.get(noun, []))} of '{noun}'" for noun in nouns)
    print(
        f"{len(reference.paths)} paths in the clip; cut out for its copies: {found}, and {sum(map(len, cast.places.values()))} empty places"
    )


def draw_copies(reference: Reference, cast: Cast, training: MotionSettings, sheet: Path) -> Iterator[Copy]:
    """The copies one by one; at the end the first ones as a contact sheet."""
    shown = []
    for i in range(training.copies):
        copy = draw_copy(reference, cast, np.random.default_rng(seed_for("copy", training.schedule.seed, i)))
        shown += [copy] if i < SHOWN else []
        yield copy
    rows = [[Image.fromarray(frame) for frame in copy.frames[:: max(len(copy.frames) // 8, 1)][:8]] for copy in shown]
    contact_sheet(rows).save(sheet, quality=90)


if __name__ == "__main__":
    run_stage(motion, MotionSection)
