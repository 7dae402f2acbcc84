"""`make transfer`: the motions of drawn clips given to the demo's subjects → metrics/motion.json, docs/evidence.md.

Arms: `swap` (T_m from copies), `naive` (the paper's Naive-motion: I_m and T_m from the clip, both kept), `none` (the base's own motion modules); `swap_led` and
`led` are the first and the third with each subject drawn alone first and its box led along the clip's way (docs/regions.md); `drawn`: the world's own drawings.
"""

import json
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import accumulate
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from PIL import Image

from tasks.settings import build_sections
from tasks.shared.command import silence_libraries
from tasks.shared.cores import usable_cores
from tasks.shared.documents import as_table, fill_table
from tasks.shared.merging import load_params, merge
from tasks.shared.paths import CACHE, run_folder
from tasks.shared.sections import MotionSection
from tasks.studies.rows import rows_path, write_rows
from tasks.studies.transferring import ARMS, COMBINATION, Arm, Training, finetune_for, measure
from vd_core.files import fingerprint_of, sha256_of, write_json
from vd_core.inputs.pictures import contact_sheet
from vd_core.studies.staged import CALM, STAGED, TAKES
from vd_core.studies.transfer import FIGURES, Plan, draw_reference, load_plan, summarise_arms

NAMES: dict[Arm, str] = {
    "swap": "module swap, T_m from copies",
    "swap_led": "the same, boxes led by the clip",
    "naive": "Naive-motion, from the clip",
    "none": "no motion finetuning",
    "led": "the same, boxes led by the clip",
    "drawn": "the world's drawings",
}
PLAN, OUT, DOCUMENT = Path("benchmarks/motion.yaml"), Path("metrics/motion.json"), Path("docs/evidence.md")
PICTURE = Path("docs/motion.png")


def place_of(plan: Plan, section: MotionSection, number: int, training: Training) -> Path:
    """Where a reference's motion modules, clips and rows are kept."""
    drawn = asdict(plan.references[number])
    learned = {"drawn": drawn, "action": plan.action, "training": training, "section": section.model_dump(mode="json", exclude={"prompt"})}
    return CACHE / "transfer" / f"{number:02d}-{fingerprint_of(learned, [])[:16]}"


def read_setting() -> tuple[Plan, MotionSection]:
    """The plan, and how the demo finetunes on a motion."""
    return load_plan(PLAN), build_sections(merge(load_params(), COMBINATION)).motion


def measure_once(number: int, training: Training, threads: int) -> dict[Arm, list[dict[str, Any]]]:
    """The rows of a training's arms, kept under all that decides them, as its motion modules are: a run that was ended goes on."""
    torch.set_num_threads(threads)
    silence_libraries()
    plan, section = read_setting()
    drawn, place = plan.references[number], place_of(plan, section, number, training)
    place.mkdir(parents=True, exist_ok=True)
    motion = place / "motion"
    if training in ("swap", "naive") and not motion.is_dir():
        shutil.rmtree(place / "aside", ignore_errors=True)
        finetune_for(place / "aside", section, plan, drawn, training == "naive")
        os.rename(place / "aside", motion)
    subjects = [sha256_of(p) for p in sorted(run_folder(COMBINATION, "refinetune").glob("*.safetensors"))]
    shown = {"plan": {**asdict(plan), "references": None}, "subjects": subjects, "led": [STAGED, TAKES, CALM]}
    rows: dict[Arm, list[dict[str, Any]]] = {}
    for arm in ARMS[training]:
        file = place / f"{arm}-{fingerprint_of(shown, [])[:16]}.json"
        if not file.exists():
            write_json(file, measure(plan, section, drawn, arm, motion, place / f"{arm}.jpg"))
        rows[arm] = json.loads(file.read_text())
        print(f"{number} {drawn.path} {arm}: " + ", ".join(f"{f} {np.mean([r[f] for r in rows[arm]]):.2f}" for f in FIGURES), flush=True)
    return rows


def transfer_table(report: dict[str, Any]) -> str:
    """docs/evidence.md's table."""

    def cell(figure: dict[str, Any]) -> str:
        low, high = figure["ci95"]
        return f"{figure['value']:.2f} ({low:.2f} to {high:.2f})"

    shown = [(NAMES[arm], report[arm]) for arm in NAMES if arm in report] + list(report["differences"].items())
    rows = [[name, str(own["path"]["n"]), *(cell(own[f]) for f in FIGURES)] for name, own in shown]
    return as_table(["", "references", "path", "own color", "identity", "reference's color", "absent"], rows)


def save_picture(plan: Plan, section: MotionSection) -> None:
    """docs/motion.png: the first reference, and the first two videos of the swap without and with its lead."""
    place = place_of(plan, section, 0, "swap")
    sheets = [Image.open(place / f"{arm}.jpg") for arm in ("swap", "swap_led")]
    reference = contact_sheet([[Image.fromarray(frame) for frame in draw_reference(plan.references[0])[::2]]])
    parts = [reference, *(sheet.crop((0, 0, sheet.width, sheet.height * 2 // len(plan.seeds))) for sheet in sheets)]
    whole = Image.new("RGB", (reference.width, sum(part.height for part in parts)), "white")
    for part, top in zip(parts, accumulate([0, *(part.height for part in parts)]), strict=False):
        whole.paste(part, (0, top))
    whole.quantize(128).save(PICTURE, optimize=True)


def main(
    workers: Annotated[int, typer.Option(help="references at once")] = 2,
    references: Annotated[int, typer.Option(help="the first so many")] = 10,
    naive: Annotated[int, typer.Option(help="Naive-motion on the first so many of them")] = 10,
    bare: Annotated[int, typer.Option(help="the base's own motion modules on the first so many: by their path alone these differ")] = 10,
) -> None:
    """Give the motions of drawn clips to the demo's subjects, and measure what arrives. The demo must have run."""
    plan, section = read_setting()
    threads = max(1, len(usable_cores()) // workers)
    counts: dict[Training, int] = {"swap": references, "none": min(bare, references), "naive": min(naive, references), "drawn": references}
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        waiting = {t: [pool.submit(measure_once, i, t, threads) for i in range(count)] for t, count in counts.items() if count}
        found = {t: [w.result() for w in own] for t, own in waiting.items()}
    rows = {arm: [own[arm] for own in found[t]] for t in found for arm in ARMS[t]}
    report = {"videos": len(plan.seeds), **summarise_arms(rows)}
    write_json(OUT, report)
    named = {a: [{"reference": i, **row} for i, own in enumerate(of_arm) for row in own] for a, of_arm in rows.items()}
    write_rows(named, rows_path("motion"))
    fill_table(DOCUMENT, "motion", transfer_table(report))
    save_picture(plan, section)


if __name__ == "__main__":
    typer.run(main)
