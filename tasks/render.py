"""data, swap → runs/<combination>/render: a video a prompt and generator (mp4, gif, frames), and one contact sheet."""

import json

from PIL import Image
from tqdm import tqdm

from tasks.command import open_base, open_subjects, replaced_folder, run_folder, run_stage
from vd_core.config import Params
from vd_core.errors import InputError
from vd_core.generation.customised import CUSTOMISE
from vd_core.images import contact_sheet, to_pictures
from vd_core.subjects import mixed_prompt
from vd_core.video import save_frames, save_video

SHEET_FRAMES = 8


def render(params: Params, name: str) -> None:
    """Render every prompt of the combination with every generator."""
    combination, subjects = open_subjects(params, name)
    chosen = params.render
    if not chosen.num_inference_steps > chosen.t_forward > chosen.t_warp:
        raise InputError("params.yaml: render needs t_warp < t_forward < num_inference_steps; correct one of them")
    prompts = [f"{mixed_prompt(subjects)} {what}".strip() for what in combination.prompts]
    videos, rows = [], []
    progress = tqdm(total=len(prompts) * len(chosen.generators), desc="rendering", unit="video")
    with replaced_folder(run_folder(name, "render")) as folder:
        for generator in chosen.generators:
            base = open_base(params, subjects, motion=generator == "animatediff")
            generate = CUSTOMISE[generator](base, run_folder(name, "swap"), chosen)
            for i, prompt in enumerate(prompts):
                frames = generate(prompt, params.seed + i)
                video = f"{generator}-{i:02d}"
                save_video(frames, folder / f"{video}.mp4", chosen.fps)
                save_frames(frames, folder / video)
                videos.append({"video": video, "generator": generator, "prompt": prompt})
                rows.append(choose_frames(to_pictures(frames)))
                progress.update()
        progress.close()
        (folder / "videos.json").write_text(json.dumps(videos, indent=1) + "\n")
        contact_sheet(rows).save(folder / "sheet.jpg", quality=90)
    print(f"{len(videos)} videos in {run_folder(name, 'render')}/, their frames in sheet.jpg")


def choose_frames(frames: list[Image.Image]) -> list[Image.Image]:
    """At most SHEET_FRAMES frames, spread evenly."""
    step = -(-len(frames) // SHEET_FRAMES)
    return frames[::step]


if __name__ == "__main__":
    run_stage(render)
