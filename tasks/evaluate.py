"""mix, render → metrics/<combination>.json: the metrics, their means a generator; runs/<combination>/evaluate: those of every video."""

import json

from tqdm import tqdm

from tasks.shared.command import replaced_folder, run_stage
from tasks.shared.judging import open_judges, read_references
from tasks.shared.paths import metrics_path, run_folder
from tasks.shared.prepared import read_prepared
from tasks.shared.sections import EvaluateSection
from vd_core.bases.device import choose_device
from vd_core.errors import InputError
from vd_core.files import write_json
from vd_core.inputs.pictures import load_numbered
from vd_core.inputs.prompts import plain_prompt
from vd_core.metrics.aesthetic_quality import AestheticJudge, load_aesthetic
from vd_core.metrics.report import average, judge_clip


def evaluate(section: EvaluateSection, name: str) -> None:
    """Judge every rendered video."""
    subjects, folder = read_prepared(name).subjects, run_folder(name, "render")
    judges, references = open_judges(section.judging, section.device, subjects), read_references(name, subjects)
    aesthetic = open_aesthetic(section)
    videos = json.loads((folder / "videos.json").read_text())
    rows: dict[str, list[dict[str, float | None]]] = {}
    each: dict[str, dict[str, float]] = {}
    for video in tqdm(videos, "evaluating", unit="video"):
        frames, prompt = load_numbered(folder / video["video"]), plain_prompt(video["prompt"], subjects)
        figures = judge_clip(judges, frames, references, prompt, aesthetic)
        rows.setdefault(video["generator"], []).append(figures)
        each[video["video"]] = average([figures])
    means = {generator: average(own) for generator, own in rows.items()}
    with replaced_folder(name, "evaluate") as aside:
        write_json(aside / "videos.json", each)
    write_json(metrics_path(name), means)
    for generator, figures in means.items():
        print(f"{generator}: " + ", ".join(f"{k.replace('_', ' ')} {v:.3f}" for k, v in figures.items()))


def open_aesthetic(section: EvaluateSection) -> AestheticJudge | None:
    """The judge of aesthetic quality if the combination wants one and its weights are to be had; otherwise one line says why it is left out."""
    if section.aesthetic is None:
        return None
    try:
        return load_aesthetic(section.aesthetic, choose_device(section.device))
    except InputError as error:
        print(f"aesthetic quality is left out: {error}")
        return None


if __name__ == "__main__":
    run_stage(evaluate, EvaluateSection)
