"""data, swap → runs/<combination>/render: a video a prompt and generator (mp4, gif, frames), the best of some seeds, and one contact sheet."""

import json
from collections.abc import Callable
from pathlib import Path

import torch
from PIL import Image
from tqdm import tqdm

from tasks.shared.command import open_base, open_subjects, replaced_folder, run_folder, run_stage
from tasks.shared.params import Params, RenderParams
from tasks.shared.training import references
from vd_core.bases.stable_diffusion import Base, find_source
from vd_core.errors import InputError
from vd_core.generation.customised import Generate, customise_animatediff, customise_text2video_zero
from vd_core.inputs.clips import save_frames, save_video
from vd_core.inputs.pictures import contact_sheet, to_pictures
from vd_core.inputs.subjects import Subject, mixed_prompt, plain_prompt
from vd_core.metrics.report import judge_picture, load_judges
from vd_core.seeds import seed_for

SHEET_FRAMES = 8
JUDGED_EVERY = 3
Judge = Callable[[torch.Tensor, str], float]


def render(params: Params, name: str) -> None:
    """Render every prompt of the combination with every generator."""
    combination, subjects = open_subjects(params, name)
    chosen = params.render
    if not chosen.num_inference_steps > chosen.t_forward > chosen.t_warp:
        raise InputError("params.yaml: render needs t_warp < t_forward < num_inference_steps; correct one of them")
    prompts = [f"{mixed_prompt(subjects)} {what}".strip() for what in combination.prompts]
    tries = chosen.seeds_tried
    judge = build_judge(params, subjects) if tries > 1 else None
    videos, rows = [], []
    progress = tqdm(total=len(prompts) * len(chosen.generators) * tries, desc="rendering", unit="clip")
    with replaced_folder(run_folder(name, "render")) as folder:
        for generator in chosen.generators:
            base = open_base(params, subjects, motion=generator == "animatediff")
            generate = customise(generator, base, run_folder(name, "swap"), chosen)
            for i, prompt in enumerate(prompts):
                seeds = [seed_for("clip", generator, params.seed, i, k) for k in range(tries)]
                frames, seed = choose_clip([(generate_counted(generate, prompt, s, progress), s) for s in seeds], prompt, judge)
                video = f"{generator}-{i:02d}"
                save_video(frames, folder / f"{video}.mp4", chosen.fps)
                save_frames(frames, folder / video)
                videos.append({"video": video, "generator": generator, "prompt": prompt, "seed": seed})
                rows.append(choose_frames(to_pictures(frames)))
        progress.close()
        (folder / "videos.json").write_text(json.dumps(videos, indent=1) + "\n")
        contact_sheet(rows).save(folder / "sheet.jpg", quality=90)
    print(f"{len(videos)} videos in {run_folder(name, 'render')}/, their frames in sheet.jpg")


def customise(generator: str, base: Base, folder: Path, chosen: RenderParams) -> Generate:
    """The generator called `generator` over `base`, with the weights of `folder`."""
    steps, guidance = chosen.num_inference_steps, chosen.guidance_scale
    if generator == "animatediff":
        return customise_animatediff(base, folder, chosen.animatediff_frames, steps, guidance)
    motion = (chosen.motion_field_strength, chosen.t_forward, chosen.t_warp)
    return customise_text2video_zero(base, folder, chosen.text2video_zero_frames, steps, guidance, *motion)


def generate_counted(generate: Generate, prompt: str, seed: int, progress: tqdm) -> torch.Tensor:
    """One clip, counted."""
    frames = generate(prompt, seed)
    progress.update()
    return frames


def build_judge(params: Params, subjects: list[Subject]) -> Judge:
    """What ranks the clips of one prompt: the HLR candidates' own score, averaged over some frames."""
    base = open_base(params, subjects)
    judges = load_judges(find_source(params.base).judges)
    known = references(judges, base, subjects)

    def judge(frames: torch.Tensor, prompt: str) -> float:
        plain = plain_prompt(prompt, subjects)
        scores = [judge_picture(judges, p, known, plain)["rank_score"] for p in to_pictures(frames[::JUDGED_EVERY])]
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
    run_stage(render)
