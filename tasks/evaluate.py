"""mix, render → metrics/<combination>.json: the paper's metrics, their means a generator; runs/<combination>/evaluate: those of every video."""

import json

from tqdm import tqdm

from tasks.shared.command import replaced_folder, run_stage
from tasks.shared.judging import open_judges, read_references
from tasks.shared.paths import metrics_path, run_folder
from tasks.shared.prepared import read_prepared
from tasks.shared.sections import EvaluateSection
from vd_core.files import write_json
from vd_core.inputs.pictures import load_numbered
from vd_core.inputs.prompts import plain_prompt
from vd_core.metrics.report import average, judge_clip


def evaluate(section: EvaluateSection, name: str) -> None:
    """Judge every rendered video."""
    subjects, folder = read_prepared(name).subjects, run_folder(name, "render")
    judges, references = open_judges(section.judging, section.device, subjects), read_references(name, subjects)
    videos = json.loads((folder / "videos.json").read_text())
    rows: dict[str, list[dict[str, float]]] = {}
    each: dict[str, dict[str, float]] = {}
    for video in tqdm(videos, "evaluating", unit="video"):
        figures = judge_clip(judges, load_numbered(folder / video["video"]), references, plain_prompt(video["prompt"], subjects))
        rows.setdefault(video["generator"], []).append(figures)
        each[video["video"]] = average([figures])
    means = {generator: average(own) for generator, own in rows.items()}
    with replaced_folder(name, "evaluate") as aside:
        write_json(aside / "videos.json", each)
    write_json(metrics_path(name), means)
    for generator, figures in means.items():
        print(f"{generator}: " + ", ".join(f"{k.replace('_', ' ')} {v:.3f}" for k, v in figures.items()))


if __name__ == "__main__":
    run_stage(evaluate, EvaluateSection)
