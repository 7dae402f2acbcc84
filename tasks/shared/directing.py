"""Who finds subjects in what a stage draws of them alone, and keeps the most alike; and what leads them through a clip."""

import numpy as np

from tasks.shared.judging import open_judges, read_references
from tasks.shared.params import Regions
from tasks.shared.prepared import read_clip
from tasks.shared.sections import Device, Judging
from vd_core.generation.takes import Director
from vd_core.inputs.clip_motion import ClipMotion, find_motion, motion_of_paths
from vd_core.inputs.subjects import Subject
from vd_core.inputs.tracks import keep_whole, link_boxes
from vd_core.metrics.find_subject import alike_with, find_with, fits_with, shows_with


def hire_director(name: str, judging: Judging, device: Device, subjects: list[Subject], regions: Regions) -> Director:
    """A combination's director, with the stage's judges; InputError if they cannot be found or fetched."""
    judges = open_judges(judging, device, subjects)
    alike = alike_with(judges, read_references(name, subjects))
    return Director(find_with(judges), subjects, regions.staged, regions.takes, alike, shows_with(judges), fits_with(judges))


def follow_clip(name: str, subjects: list[Subject], judging: Judging, device: Device) -> ClipMotion:
    """How the things in the reference clip move: by its optical flow, or if that follows nothing, as before a moving camera, by the detector's boxes."""
    clip = read_clip(name)
    if (motion := find_motion(clip, len(subjects))).things:
        print(f"{len(motion.things)} things move in the clip")
        return motion
    find = find_with(open_judges(judging, device, subjects))
    paths = link_boxes([keep_whole(find(np.array(frame), None)) for frame in clip], len(subjects))
    print(
        f"no flow to be followed in the clip; the detector follows {len(paths)} things"
        if len(paths)
        else "nothing in the clip is seen to move"
    )
    return motion_of_paths(paths, clip[0].width)


def leads(motion: ClipMotion | None) -> bool:
    """Whether anything in the reference clip was followed: who is led by nothing would stand still."""
    return motion is not None and len(motion.things) > 0
