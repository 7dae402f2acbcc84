"""`make transfer`: the motions of drawn clips given to the demo's subjects → metrics/motion.json, docs/evidence.md.

Arms: `swap` (T_m from copies), `naive` (the paper's Naive-motion: I_m and T_m from the clip, both kept), `none` (the base's own motion modules).
"""

import json
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import typer
from PIL import Image

from tasks.motion import draw_copies
from tasks.settings import build_sections
from tasks.shared.command import silence_libraries
from tasks.shared.cores import usable_cores
from tasks.shared.documents import as_table, fill_table
from tasks.shared.merging import load_params, merge
from tasks.shared.opening import open_base
from tasks.shared.paths import CACHE, run_folder
from tasks.shared.prepared import read_subjects
from tasks.shared.sections import MotionSection
from tasks.studies.rows import rows_path, write_rows
from vd_core.bases.encode import embed_prompts
from vd_core.files import fingerprint_of, sha256_of, write_json
from vd_core.generation.customised import customise_animatediff
from vd_core.inputs.copies import read_reference
from vd_core.inputs.pictures import contact_sheet, to_pictures
from vd_core.inputs.prompts import enumerate_names, scene_prompt
from vd_core.methods.cast import draw_cast
from vd_core.methods.motion import finetune_motion, save_motion, whole_clip
from vd_core.metrics.find_subject import find_with
from vd_core.studies.toys import Jury, load_jury
from vd_core.studies.transfer import FIGURES, Drawn, Plan, draw_reference, judge_clip, load_plan, summarise_arms
from vd_core.toybox.world.draw import CLIP_FRAMES
from vd_core.toybox.world.scenes import BACKGROUNDS
from vd_core.training.loop import Progress

Arm = Literal["swap", "naive", "none"]
ARMS: tuple[Arm, ...] = ("swap", "naive", "none")
COMBINATION = "toys"
PLAN, OUT, DOCUMENT = Path("benchmarks/motion.yaml"), Path("metrics/motion.json"), Path("docs/evidence.md")


def prepare_motion(folder: Path, section: MotionSection, plan: Plan, drawn: Drawn, arm: Arm, jury: Jury) -> None:
    """Put what the arm keeps of its motion finetuning into `folder`."""
    literal = arm == "naive"
    training = replace(section.training, copies=0) if literal else section.training
    clip = draw_reference(drawn)
    prompt = f"{enumerate_names([f'a {kind}' for kind in drawn.toys])} {plan.action} {BACKGROUNDS[drawn.place]}"
    base = open_base(section.models, section.device, [], motion=True)
    if literal:
        copies = [whole_clip([Image.fromarray(frame) for frame in clip], prompt)]
    else:
        find, nouns = find_with(jury.judges), [s.class_noun for s in read_subjects(COMBINATION)]
        reference = read_reference(clip, prompt, [find(frame, None) for frame in clip], len(nouns))
        cast = draw_cast(base, find, nouns, training.places, training.actors, section.sampling, training.schedule.seed)
        copies = draw_copies(reference, cast, training, folder / "copies.jpg")
    model = finetune_motion(base, copies, training, Progress(folder / "progress"))
    save_motion(model, folder)
    shutil.rmtree(folder / "progress")


def measure(plan: Plan, section: MotionSection, drawn: Drawn, arm: Arm, place: Path) -> list[dict[str, Any]]:
    """The rows of one arm on one reference; its clips as a contact sheet in `place`."""
    jury, folder = load_jury(Path(str(section.judging.judges)).parent), place / "weights"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if arm != "none":
        prepare_motion(folder, section, plan, drawn, arm, jury)
    for path in (run_folder(COMBINATION, "swap")).iterdir():
        if path.name not in ("motion_adapter", "image_modules"):
            shutil.copy(path, folder) if path.is_file() else shutil.copytree(path, folder / path.name)
    base, subjects = open_base(section.models, section.device, [], motion=True), read_subjects(COMBINATION)
    generate = customise_animatediff(base, folder, CLIP_FRAMES, plan.num_inference_steps, section.sampling.guidance_scale, False)
    places = [plan.places[i % len(plan.places)] for i in range(len(plan.seeds))]
    prompts = [scene_prompt(subjects, f"{plan.action} {where}") for where in places]
    clips = generate(embed_prompts(base, prompts), plan.seeds).float().cpu()
    shutil.rmtree(folder)
    contact_sheet([to_pictures(clip)[::2] for clip in clips]).save(place / f"{arm}.jpg", quality=90)
    return [row for clip in clips for row in judge_clip(jury, (clip + 1) / 2, plan, drawn)]


def measure_once(number: int, arm: Arm, threads: int) -> list[dict[str, Any]]:
    """`measure`, kept under all that decides it: a run that was ended goes on."""
    torch.set_num_threads(threads)
    silence_libraries()
    plan, section = load_plan(PLAN), build_sections(merge(load_params(), COMBINATION)).motion
    drawn = plan.references[number]
    weights = [sha256_of(p) for p in sorted(run_folder(COMBINATION, "swap").glob("*.safetensors"))]
    about = {
        "plan": {**asdict(plan), "references": None},
        "drawn": asdict(drawn),
        "arm": arm,
        "weights": weights,
    }
    key = fingerprint_of({**about, "section": section.model_dump(mode="json")}, [])[:16]
    file = CACHE / "transfer" / f"{key}.json"
    if not file.exists():
        place = CACHE / "transfer" / f"{number:02d}"
        place.mkdir(parents=True, exist_ok=True)
        write_json(file, {"rows": measure(plan, section, drawn, arm, place)})
    rows = json.loads(file.read_text())["rows"]
    print(f"{number} {drawn.path} {arm}: " + ", ".join(f"{f} {np.mean([r[f] for r in rows]):.2f}" for f in FIGURES), flush=True)
    return rows


def transfer_table(report: dict[str, Any]) -> str:
    """docs/evidence.md's table."""

    def cell(figure: dict[str, Any]) -> str:
        low, high = figure["ci95"]
        return f"{figure['value']:.2f} ({low:.2f} to {high:.2f})"

    names = {"swap": "module swap, T_m from copies", "naive": "Naive-motion, from the clip", "none": "no motion finetuning"}
    shown = {**{names[arm]: report[arm] for arm in ARMS if arm in report}, **report["differences"]}
    rows = [[name, str(own["path"]["n"]), *(cell(own[f]) for f in FIGURES)] for name, own in shown.items()]
    return as_table(["", "references", "path", "own color", "reference's color", "absent"], rows)


def main(
    workers: Annotated[int, typer.Option(help="references at once")] = 2,
    references: Annotated[int, typer.Option(help="the first so many")] = 10,
    naive: Annotated[int, typer.Option(help="Naive-motion on the first so many of them")] = 10,
) -> None:
    """Give the motions of drawn clips to the demo's subjects, and measure what arrives. The demo must have run."""
    plan = load_plan(PLAN)
    threads = max(1, len(usable_cores()) // workers)
    counts = {"swap": references, "none": references, "naive": min(naive, references)}
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        waiting = {arm: [pool.submit(measure_once, i, arm, threads) for i in range(count)] for arm, count in counts.items() if count}
        rows = {arm: [w.result() for w in own] for arm, own in waiting.items()}
    report = {"videos": len(plan.seeds), **summarise_arms(rows)}
    write_json(OUT, report)
    named = {a: [{"reference": i, **row} for i, own in enumerate(of_arm) for row in own] for a, of_arm in rows.items()}
    write_rows(named, rows_path("motion"))
    fill_table(DOCUMENT, "motion", transfer_table(report))


if __name__ == "__main__":
    typer.run(main)
