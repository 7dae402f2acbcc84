"""How many frames the motion modules can hold, against the settings."""

from tasks.shared.params import PARAMS, Merged
from vd_core.errors import InputError


def wanted_frames(merged: Merged) -> dict[str, int]:
    """The settings that ask the motion modules for frames."""
    wanted = {"motion.frames": merged.motion.frames} if merged.motion_prompt is not None else {}
    if "animatediff" in merged.render.generators:
        wanted["render.animatediff_frames"] = merged.render.animatediff_frames
    return wanted


def check_frames(merged: Merged, most: int | None) -> None:
    """InputError if AnimateDiff or the motion finetuning want more than `most` frames, or there are no motion modules."""
    wanted = wanted_frames(merged)
    if wanted and merged.source.motion_adapter is None:
        raise InputError(
            f"base {merged.base} has no motion modules: remove animatediff from render.generators and set motion_prompt to null ({PARAMS}), "
            "or take sd15"
        )
    for key, frames in wanted.items():
        if most is not None and frames > most:
            raise InputError(f"{key} is {frames}; the motion modules of {merged.base} hold at most {most}: lower it")
