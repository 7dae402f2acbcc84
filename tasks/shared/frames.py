"""How many frames the motion modules can hold, against the settings."""

from tasks.shared.params import PARAMS, Merged
from vd_core.errors import InputError
from vd_core.inputs.scenes import event_starts, read_scene
from vd_core.settings import MOTION_WINDOW


def wanted_frames(merged: Merged) -> dict[str, int]:
    """The settings that ask the motion modules for frames; a longer video takes windows of them."""
    wanted = {"motion.frames": merged.motion.frames} if merged.learned_motion is not None else {}
    if "animatediff" in merged.render.generators:
        wanted["render.animatediff_frames"] = min(merged.render.animatediff_frames, MOTION_WINDOW)
    return wanted


def check_frames(merged: Merged, most: int | None) -> None:
    """InputError if AnimateDiff or the motion finetuning want more than `most` frames, or there are no motion modules."""
    check_events(merged)
    wanted = wanted_frames(merged)
    if wanted and merged.source.motion_adapter is None:
        raise InputError(
            f"base {merged.base} has no motion modules: remove animatediff from render.generators, and set motion_prompt to null or motion.finetune to false ({PARAMS}), "
            "or take sd15"
        )
    for key, frames in wanted.items():
        if most is not None and frames > most:
            raise InputError(f"{key} is {frames}; the motion modules of {merged.base} hold at most {most}: lower it")


def check_events(merged: Merged) -> None:
    """InputError if an event begins after the end of a generator's clips."""
    for i, scene in enumerate(map(read_scene, merged.prompts)):
        for generator in merged.render.generators:
            frames = getattr(merged.render, f"{generator}_frames")
            if (last := event_starts(scene, frames)[-1]) >= frames:
                raise InputError(
                    f"prompts[{i}] has an event at frame {last}, and render.{generator}_frames is {frames}: begin it earlier, or write from and to"
                )
