"""What `make transfer` does with one reference: a motion finetuning, the demo's subjects with it, their videos, and what is read in them."""

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from PIL import Image

from tasks.motion import draw_copies
from tasks.settings import build_sections
from tasks.shared.judging import read_references
from tasks.shared.merging import load_params, merge
from tasks.shared.opening import open_base
from tasks.shared.paths import run_folder
from tasks.shared.prepared import read_subjects
from tasks.shared.sections import MotionSection
from vd_core.bases.encode import embed_prompts
from vd_core.customisation.weights import copy_customisation
from vd_core.generation.customised import customise_animatediff
from vd_core.generation.guides import build_guides
from vd_core.generation.layouts import place_automatically
from vd_core.generation.staging import draw_still_with
from vd_core.inputs.clip_motion import find_motion
from vd_core.inputs.copies import read_reference
from vd_core.inputs.pictures import contact_sheet, to_pictures
from vd_core.inputs.prompts import enumerate_names, scene_prompt
from vd_core.inputs.scenes import Scene, whole_prompt
from vd_core.methods.cast import draw_cast
from vd_core.methods.motion import finetune_motion, save_motion, whole_clip
from vd_core.metrics.find_subject import find_with
from vd_core.studies.staged import CALM, Players, stage_scenes
from vd_core.studies.toys import Jury, load_jury
from vd_core.studies.transfer import Drawn, Plan, draw_reference, draw_truth, judge_clip
from vd_core.toybox.world.demo import SUBJECTS
from vd_core.toybox.world.draw import CLIP_FRAMES
from vd_core.toybox.world.scenes import BACKGROUNDS
from vd_core.training.loop import Progress

Training = Literal["swap", "naive", "none", "drawn"]
Arm = Literal["swap", "swap_led", "naive", "none", "led", "drawn"]
ARMS: dict[Training, tuple[Arm, ...]] = {"swap": ("swap", "swap_led"), "naive": ("naive",), "none": ("none", "led"), "drawn": ("drawn",)}
"""What each motion finetuning, or none, is shown by."""
LED: tuple[Arm, ...] = ("swap_led", "led")
"""Those whose boxes the reference leads."""

COMBINATION = "toys"


def finetune_for(folder: Path, section: MotionSection, plan: Plan, drawn: Drawn, literal: bool) -> None:
    """Finetune the base's motion modules on a reference, from copies or from the clip itself, into a new `folder`."""
    folder.mkdir()
    training = replace(section.training, copies=0) if literal else section.training
    clip = draw_reference(drawn)
    prompt = f"{enumerate_names([f'a {kind}' for kind in drawn.toys])} {plan.action} {BACKGROUNDS[drawn.place]}"
    base = open_base(section.models, section.device, [], motion=True)
    if literal:
        copies = [whole_clip([Image.fromarray(frame) for frame in clip], prompt)]
    else:
        find, nouns = find_with(open_jury(section).judges), [s.class_noun for s in read_subjects(COMBINATION)]
        reference = read_reference(clip, prompt, [find(frame, None) for frame in clip], len(nouns))
        cast = draw_cast(base, find, nouns, training.places, training.actors, section.sampling, training.schedule.seed)
        copies = draw_copies(reference, cast, training, folder / "copies.jpg")
    model = finetune_motion(base, copies, training, Progress(folder / "progress"))
    save_motion(model, folder)
    shutil.rmtree(folder / "progress")


def render(plan: Plan, section: MotionSection, drawn: Drawn, led: bool, folder: Path, jury: Jury) -> torch.Tensor:
    """The videos of the demo's subjects with the weights in `folder`, in 0..1 `[n, f, 3, h, w]`; `led`: each drawn alone first, and led along the reference's way."""
    base, subjects = open_base(section.models, section.device, [], motion=True), read_subjects(COMBINATION)
    generate = customise_animatediff(base, folder, CLIP_FRAMES, plan.num_inference_steps, section.sampling.guidance_scale, False)
    places = [plan.places[i % len(plan.places)] for i in range(len(plan.seeds))]
    if not led:
        prompts = [scene_prompt(subjects, f"{plan.action} {where}") for where in places]
        return (generate(embed_prompts(base, prompts), plan.seeds).float().cpu() + 1) / 2
    scenes = [Scene(where, {s.name: f"is {plan.action}" for s in subjects}, None, False, ()) for where in places]
    motion = find_motion([Image.fromarray(frame) for frame in draw_reference(drawn)], len(subjects)).spread_over(CLIP_FRAMES)
    layouts = [place_automatically(len(subjects))] * len(scenes)
    guides = build_guides(base, subjects, scenes, layouts, CLIP_FRAMES, load_repeat(), None, motion)
    players, clips = Players(subjects, read_references(COMBINATION, subjects)), []
    generate = partial(generate, guidance_scale=CALM)
    for i, (scene, seed) in enumerate(zip(scenes, plan.seeds, strict=True)):
        draw = draw_still_with(base, generate)
        own = stage_scenes(base, jury, players, [scene], guides.of([i]), draw, [seed], held=True)
        clips.append(generate(embed_prompts(base, [whole_prompt(subjects, scene)]), [seed], guides=own))
    return (torch.cat(clips).float().cpu() + 1) / 2


def open_jury(section: MotionSection) -> Jury:
    """The embedded base's judges, and the reader of toys."""
    return load_jury(Path(str(section.judging.judges)).parent)


def load_repeat() -> bool:
    """Whether the base's regions repeat their subject."""
    return build_sections(merge(load_params(), COMBINATION)).render.regions.repeat


def measure(plan: Plan, section: MotionSection, drawn: Drawn, arm: Arm, motion: Path, sheet: Path) -> list[dict[str, Any]]:
    """The rows of one arm on one reference, with what was learned of it in `motion`, if anything was; its clips as a contact sheet."""
    jury, subjects = open_jury(section), read_subjects(COMBINATION)
    if arm == "drawn":
        clips = torch.stack([draw_truth(drawn, SUBJECTS, drawn.place, seed) for seed in plan.seeds])
    else:
        with TemporaryDirectory() as folder:
            if motion.is_dir():
                shutil.copytree(motion, folder, dirs_exist_ok=True)
            copy_customisation(run_folder(COMBINATION, "refinetune"), Path(folder))
            clips = render(plan, section, drawn, arm in LED, Path(folder), jury)
    contact_sheet([to_pictures(clip * 2 - 1)[::2] for clip in clips]).save(sheet, quality=90)
    known = read_references(COMBINATION, subjects)
    return [row for clip in clips for row in judge_clip(jury, clip, plan, drawn, known)]
