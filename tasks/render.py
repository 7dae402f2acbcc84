"""mix, swap → runs/<combination>/render: the frames of a video a prompt and generator, the best of some seeds, and one contact sheet."""

import json
import shutil
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import release_memory
from PIL import Image
from tqdm import tqdm

from tasks.shared.code import fingerprint_work
from tasks.shared.command import replaced_folder, run_stage
from tasks.shared.directing import follow_clip, hire_director, leads
from tasks.shared.judging import open_picture_judge, require_judges
from tasks.shared.locating import require
from tasks.shared.opening import open_base
from tasks.shared.paths import run_folder
from tasks.shared.prepared import Prepared, read_prepared
from tasks.shared.sections import RenderSection
from vd_core.bases.encode import embed_prompts
from vd_core.bases.memory import clips_at_once
from vd_core.bases.stable_diffusion import Base
from vd_core.bases.wanted import wanted_parts
from vd_core.files import write_json
from vd_core.generation.customised import Generate, customise_animatediff, customise_text2video_zero
from vd_core.generation.guides import Guides, build_guides
from vd_core.generation.layouts import place_automatically
from vd_core.generation.staging import cast_alone, draw_clip_with, draw_picture_with, draw_still_with, set_stages
from vd_core.inputs.clip_motion import ClipMotion
from vd_core.inputs.clips import save_frames
from vd_core.inputs.pictures import contact_sheet, load_numbered, to_pictures
from vd_core.inputs.prompts import plain_prompt
from vd_core.inputs.scenes import Box, Scene, read_scene, spoken_prompt, whole_prompt
from vd_core.inputs.subjects import Subject
from vd_core.inputs.ways import lead_by_words, says_a_way
from vd_core.seeds import seed_for
from vd_core.settings import Sampling

LIST = "videos.json"
SHEET_FRAMES = 8
JUDGED_EVERY = 3
Judge = Callable[[torch.Tensor, str], float]


def render(section: RenderSection, name: str) -> None:
    """Render every prompt of the combination with every generator."""
    prepared, chosen = read_prepared(name), section.render
    scenes = [read_scene(raw) for raw in section.prompts]
    prompts = [spoken_prompt(prepared.subjects, scene) for scene in scenes]
    tries = chosen.seeds_tried
    require(wanted_parts(section.models.source, motion="animatediff" in chosen.generators))
    if section.regions.staged or chosen.motion_from_clip:
        require_judges(section.judging, prepared.subjects)
    judge = build_judge(name, section, prepared) if tries > 1 else None
    motion = follow_clip(name, prepared.subjects, section.judging, section.device) if chosen.motion_from_clip else None
    inputs = [run_folder(name, "swap"), *(run_folder(name, "mix") / part for part in ("subjects", "clip", "references"))]
    with replaced_folder(name, "render", fingerprint_work("tasks.render", section, inputs)) as folder:
        videos = read_finished(folder)
        progress = tqdm(total=len(prompts) * len(chosen.generators) * tries, initial=len(videos) * tries, desc="rendering", unit="clip")
        for generator in chosen.generators:
            names, known = [f"{generator}-{i:02d}" for i in range(len(prompts))], {v["video"] for v in videos}
            finished = {i for i, video in enumerate(names) if video in known}
            clips = draw_clips(generator, section, name, prepared.subjects, scenes, motion, finished)
            for i in (i for i in range(len(prompts)) if i not in finished):
                frames, seed = choose_clip([next(clips) for _ in range(tries)], prompts[i], judge)
                videos.append({"video": names[i], "generator": generator, "prompt": prompts[i], "seed": seed})
                finish(frames, videos, folder)
                progress.update(tries)
            clips.close()
            release_memory()
        progress.close()
        contact_sheet([choose_frames(load_numbered(folder / v["video"])) for v in videos]).save(folder / "sheet.jpg", quality=90)
    print(f"{len(videos)} clips in {run_folder(name, 'render')}/, their frames in sheet.jpg")


def read_finished(folder: Path) -> list[dict[str, Any]]:
    """The videos that a run which was ended has left whole."""
    path = folder / LIST
    return json.loads(path.read_text()) if path.is_file() else []


def finish(frames: torch.Tensor, videos: list[dict[str, Any]], folder: Path) -> None:
    """Write the frames of the last of `videos`, then the list: what is not in it does not count."""
    video = folder / videos[-1]["video"]
    shutil.rmtree(video, ignore_errors=True)
    save_frames(frames, video)
    write_json(folder / LIST, videos)


def draw_clips(
    generator: str,
    section: RenderSection,
    name: str,
    subjects: list[Subject],
    scenes: list[Scene],
    motion: ClipMotion | None,
    finished: set[int],
) -> Generator[tuple[torch.Tensor, int]]:
    """The clips of every scene that is not `finished`, and their seeds.

    When it is closed, nothing holds the base any more: two at once would need twice the memory. If all are finished, none is opened.
    """
    chosen, tries = section.render, section.render.seeds_tried
    base = open_base(section.models, section.device, subjects, motion=generator == "animatediff")
    base.low_vram = chosen.low_vram
    generate = customise(generator, base, run_folder(name, "swap"), section)
    prompt_embeds = embed_prompts(base, [whole_prompt(subjects, scene) for scene in scenes])
    scenes = lead(generator, subjects, scenes, section)
    guides = guide(generator, base, subjects, scenes, motion, section)
    if section.regions.staged:
        clips_of_events = generator == "animatediff" and not leads(motion)  # Text2Video-Zero moves one picture, and what is led is one
        guides = cast_alone(base, subjects, scenes, guides, lay_out_row(subjects, section) if clips_of_events else None)
        generate = set_up(name, generator, base, generate, subjects, section)
    base.let_go("text_encoder")
    seeds = [seed_for("clip", generator, section.seed, i, k) for i in range(len(scenes)) for k in range(tries)]
    yield from generate_batches(generate, prompt_embeds, seeds, guides, clips_at_once(base, frames_of(generator, section)), finished)


def customise(generator: str, base: Base, folder: Path, section: RenderSection) -> Generate:
    """The generator called `generator` over `base`, with the weights of `folder`."""
    chosen, guidance, frames = section.render, section.sampling.guidance_scale, frames_of(generator, section)
    if generator == "animatediff":
        return customise_animatediff(base, folder, frames, chosen.num_inference_steps, guidance, chosen.fast_mode)
    motion = (chosen.motion_field_strength, chosen.t_forward, chosen.t_warp)
    return customise_text2video_zero(
        base, folder, frames, chosen.num_inference_steps, guidance, *motion, chosen.fast_mode, chosen.t_carried, chosen.t_events
    )


def set_up(name: str, generator: str, base: Base, generate: Generate, subjects: list[Subject], section: RenderSection) -> Generate:
    """The generator, which draws every subject of a clip with regions alone first.

    For Text2Video-Zero, which moves its first frame, that is a picture; for AnimateDiff a clip. Where the reference's things or words lead the boxes it is, for both, a
    picture that lasts for the clip: else a subject would move twice.
    """
    director = hire_director(name, section.judging, section.device, subjects, section.regions)
    sampling = Sampling(section.render.num_inference_steps, section.regions.guidance_scale)
    calm = partial(generate, guidance_scale=sampling.guidance_scale)
    animated = {True: draw_still_with(base, calm), False: draw_clip_with(calm)}

    def direct(prompt_embeds: torch.Tensor, seeds: list[int], guides: Guides) -> torch.Tensor:
        draw = animated[guides.held[0]] if generator == "animatediff" else draw_picture_with(base, sampling)
        staged = set_stages(base, director, draw, guides, seeds)
        return (calm if staged.stage else generate)(prompt_embeds, seeds, guides=staged)

    return direct


def frames_of(generator: str, section: RenderSection) -> int:
    """How many frames the clips of a generator have."""
    return section.render.animatediff_frames if generator == "animatediff" else section.render.text2video_zero_frames


def lead(generator: str, subjects: list[Subject], scenes: list[Scene], section: RenderSection) -> list[Scene]:
    """The scenes, of which those whose subjects' words say a way are led by these, if that is wanted."""
    if not section.render.motion_from_words:
        return scenes
    layout, frames = lay_out_row(subjects, section), frames_of(generator, section)
    return [lead_by_words(scene, subjects, layout, frames) if says_a_way(scene) else scene for scene in scenes]


def guide(
    generator: str, base: Base, subjects: list[Subject], scenes: list[Scene], motion: ClipMotion | None, section: RenderSection
) -> Guides:
    """The regions, events and moves of a generator's clips, one a scene; what moves in the reference clip leads those that words do not."""
    frames, chosen = frames_of(generator, section), section.regions
    layouts = [lay_out_row(subjects, section)] * len(scenes)
    strength = section.render.motion_field_strength if generator == "text2video_zero" else None
    laid_out = [leads(motion) or bool(scene.led) or (strength is not None and scene.travels) for scene in scenes]
    held = [chosen.staged > 0 and own for own in laid_out]
    return build_guides(base, subjects, scenes, layouts, frames, chosen.repeat, strength, motion and motion.spread_over(frames), held)


def lay_out_row(subjects: list[Subject], section: RenderSection) -> list[Box]:
    """The automatic boxes of a clip's subjects."""
    return place_automatically(len(subjects), 0, section.regions.most_in_a_row)


def generate_batches(
    generate: Generate, prompt_embeds: torch.Tensor, seeds: list[int], guides: Guides, batch: int, finished: set[int]
) -> Iterator[tuple[torch.Tensor, int]]:
    """The clips of the seeds, each with its own, `batch` computed at once. The seeds of each prompt of `prompt_embeds` follow each other.

    Prompts with regions are computed one by one: what stands beside them would change their attention. Those that are `finished` are left out; one
    that shares a call with another is computed again with it, so that every clip has the bytes that it has in a run that is not ended.
    """
    tries = len(seeds) // (len(prompt_embeds) - 1)
    for own in [[k] for k in range(len(prompt_embeds) - 1)] if guides.regions else [list(range(len(prompt_embeds) - 1))]:
        clips = [(prompt, prompt * tries + k) for prompt in own for k in range(tries)]
        for i in range(0, len(clips), batch):
            rows, which = zip(*clips[i : i + batch], strict=True)
            if finished.issuperset(rows):
                continue
            some = [seeds[k] for k in which]
            made = generate(prompt_embeds[[0, *(1 + row for row in rows)]], some, guides=guides.of(list(rows)))
            yield from ((frames, seed) for row, frames, seed in zip(rows, made, some, strict=True) if row not in finished)


def build_judge(name: str, section: RenderSection, prepared: Prepared) -> Judge:
    """What ranks the clips of one prompt: the HLR candidates' own score, averaged over some frames."""
    judge_one = open_picture_judge(name, section.judging, section.device, prepared.subjects)

    def judge(frames: torch.Tensor, prompt: str) -> float:
        plain = plain_prompt(prompt, prepared.subjects)
        scores = [judge_one(picture=p, prompt=plain)["rank_score"] for p in to_pictures(frames[::JUDGED_EVERY])]
        return sum(scores) / len(scores)

    return judge


def choose_clip(clips: list[tuple[torch.Tensor, int]], prompt: str, judge: Judge | None) -> tuple[torch.Tensor, int]:
    """The clip (and its seed) that shows each subject best; the only one if there is one."""
    return max(clips, key=lambda clip: judge(clip[0], prompt)) if judge else clips[0]


def choose_frames(frames: list[Image.Image]) -> list[Image.Image]:
    """At most SHEET_FRAMES frames, spread evenly."""
    step = -(-len(frames) // SHEET_FRAMES)
    return frames[::step]


if __name__ == "__main__":
    run_stage(render, RenderSection)
