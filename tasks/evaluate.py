"""data, render → metrics/<combination>.json: the paper's metrics of every video, and their means a generator."""

import json
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from tasks.shared.command import open_base, open_subjects, run_folder, run_stage
from tasks.shared.params import Params
from tasks.shared.training import references
from vd_core.bases.stable_diffusion import find_source
from vd_core.files import write_json
from vd_core.inputs.subjects import plain_prompt
from vd_core.metrics.report import average, judge_clip, load_judges


def evaluate(params: Params, name: str) -> None:
    """Judge every rendered video."""
    _, subjects = open_subjects(params, name)
    base = open_base(params, subjects)
    judges = load_judges(find_source(params.base).judges)
    known = references(judges, base, subjects)
    folder = run_folder(name, "render")
    videos = json.loads((folder / "videos.json").read_text())
    rows: dict[str, list[dict[str, float]]] = {}
    for video in tqdm(videos, "evaluating", unit="video"):
        frames = [Image.open(p).convert("RGB") for p in sorted((folder / video["video"]).glob("*.png"))]
        rows.setdefault(video["generator"], []).append(judge_clip(judges, frames, known, plain_prompt(video["prompt"], subjects)))
    means = {generator: average(own) for generator, own in rows.items()}
    write_json(Path("metrics") / f"{name}.json", means)
    for generator, figures in means.items():
        print(f"{generator}: " + ", ".join(f"{k.replace('_', ' ')} {v:.3f}" for k, v in figures.items()))


if __name__ == "__main__":
    run_stage(evaluate)
