"""`make evidence`: the methods and ablations side by side on held-out toys → metrics/evidence.json, docs/evidence.md and its contact sheet."""

import json
import os
import shutil
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from PIL import Image
from tqdm import tqdm

from tasks.shared.command import silence_libraries
from tasks.shared.documents import as_table, fill_table
from tasks.shared.merging import merge
from tasks.shared.params import Merged, Params
from tasks.shared.paths import CACHE
from tasks.shared.yaml_files import overlay
from vd_core.files import fingerprint_of, sha256_of, write_json
from vd_core.inputs.pictures import contact_sheet
from vd_core.studies.claims import Table, judge_claims, summarise
from vd_core.studies.evidence import Plan, Toys, draw_bare, load_plan, run_variant

PLAN = Path("benchmarks/evidence.yaml")
OUT, DOCUMENT, SHEET = Path("metrics/evidence.json"), Path("docs/evidence.md"), Path("docs/evidence.png")
TUNING = Path("metrics/evidence_tuning.json")
CLAIM_COLUMNS = ("difference (95% interval)", "detectable", "resampled", "combinations, finetunings, pictures")
FIGURES = ("fidelity", "missing", "absent", "binding", "full_binding", "blend", "text_fidelity", "stitched", "stitched_bare")
Folders = dict[tuple[str, int], Path]
"""Where the finetunings of one variant are, by combination and training seed."""
CHOSEN_BY = ("fidelity", "binding", "text_fidelity")
"""A learning rate is chosen by the mean of these."""


def settings_of(variant: dict[str, Any], training_seed: int) -> Merged:
    """The embedded base's preset with a variant's own keys and no validation on the way. Both learning rates keep their proportion."""
    plain = merge_study({}, training_seed).finetune
    rate = variant.get("learning_rate", plain.schedule.learning_rate)
    scale = rate / plain.schedule.learning_rate
    rates = {"schedule": {"learning_rate": rate}, "text_encoder_learning_rate": scale * plain.text_encoder_learning_rate}
    finetune = overlay(variant.get("finetune", {}), rates, {"validation": {"every": 0}})
    return merge_study({"method": variant["method"], "finetune": finetune}, training_seed)


def merge_study(overrides: dict[str, Any], training_seed: int) -> Merged:
    """The embedded base's preset for a study."""
    study = {"finetune_from": "study", "subjects": ["toy"], "prompts": [""], "sampling_round": 0, **overrides}
    params = {"base": "toybox", "seed": training_seed, "device": "cpu", "processes": 1, "combinations": {"study": study}}
    return merge(Params.model_validate(params), "study")


def run_job(base: Path, plan: Plan, variant: dict[str, Any], toys: Toys, training_seed: int, name: str, weights: str) -> Path:
    """One variant of the base in `base` on one combination with one training seed, unless the same stands finished; its folder."""
    torch.set_num_threads(1)
    merged = settings_of(variant, training_seed)
    steps = merged.hlr.steps if variant.get("hlr") else 0
    about = {**asdict(merged.finetune), "method": merged.method, "hlr": steps, "toys": toys, "weights": weights, "mix": merged.mix.count}
    how = {k: v for k, v in asdict(plan).items() if k not in ("combinations", "tuning", "variants", "learning_rates", "training_seeds")}
    target = CACHE / "evidence" / name / fingerprint_of({**about, **how}, [])[:16]
    silence_libraries()
    if not (target / "figures.json").exists():
        run_variant(base, toys, merged.method, steps, merged.finetune, merged.mix.count, plan, target)
        shutil.rmtree(target / "progress", ignore_errors=True)
    if not (target / "bare.json").exists():
        draw_bare(base, toys, plan, target)
    return target


def weights_read(variant: dict[str, Any], hashes: dict[Path, str]) -> str:
    """The hashes of the weights that decide a variant's figures: no motion modules, no text head, and the image encoder only for `f_j`."""
    own = variant.get("finetune", {}).get("disen_mix", {})
    sees = variant["method"] == "disen_mix" and own.get("visual_embedding", True)
    ignored = {"motion_adapter", "text_head"} | (set() if sees else {"image_encoder"})
    return "".join(h for path, h in hashes.items() if not ignored & {path.parent.name, path.stem})


def seeds_of(plan: Plan, variant: dict[str, Any]) -> list[int]:
    """A variant's training seeds: its own, or else the plan's."""
    return variant.get("training_seeds", plan.training_seeds)


def run_all(plan: Plan, variants: dict[str, dict[str, Any]], combinations: dict[str, Toys], base: Path | None = None) -> dict[str, Folders]:
    """Every variant on every combination with each training seed, one process a core; finished ones are taken from before.

    The base is the embedded one, or the one in the folder `base`.
    """
    folder = base or Path(merge_study({}, 0).source.pipeline.path)
    hashes = {p: sha256_of(p) for p in sorted(folder.rglob("*.safetensors"))}
    found: dict[str, Folders] = {v: {} for v in variants}
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), get_context("spawn")) as pool:
        jobs = {
            pool.submit(run_job, folder, plan, variant, toys, s, f"{v}-{c}-{s}", weights_read(variant, hashes)): (v, c, s)
            for c, toys in combinations.items()
            for v, variant in variants.items()
            for s in seeds_of(plan, variant)
        }
        for job in tqdm(as_completed(jobs), "finetunings", total=len(jobs)):
            variant, combination, seed = jobs[job]
            found[variant][combination, seed] = job.result()
    return found


def read_table(found: dict[str, Folders], plan: Plan, variants: dict[str, dict[str, Any]], combinations: dict[str, Toys]) -> Table:
    """The rows of every variant, in a Table's order."""
    return {
        v: [row for c in combinations for s in seeds_of(plan, variant) for row in read_rows(found[v][c, s], c, s, variant["method"])]
        for v, variant in variants.items()
    }


def read_rows(folder: Path, combination: str, training_seed: int, method: str) -> list[dict[str, Any]]:
    """The rows of one finetuning, of its pictures and as many bare ones."""
    rows, bare = (json.loads((folder / f"{name}.json").read_text()) for name in ("figures", "bare"))
    whence = {"combination": combination, "training_seed": training_seed, "method": method}
    return [{**whence, **row, "stitched_bare": stitched} for row, stitched in zip(rows, bare, strict=True)]


def write_document(report: dict[str, Any], found: dict[str, Folders], combinations: dict[str, Toys]) -> None:
    """The tables between docs/evidence.md's markers, and the contact sheet: a row a variant, the combinations side by side."""
    figures = [
        [v.replace("_", " "), *(f"{r[f]['value']:.3f} ({r[f]['ci95'][0]:.2f}, {r[f]['ci95'][1]:.2f})" for f in FIGURES)]
        for v, r in report["variants"].items()
    ]
    claims = [claim_line(name, c) for name, c in report["claims"].items()]
    fill_table(DOCUMENT, "table", as_table(["", *(f.replace("_", " ") for f in FIGURES)], figures))
    fill_table(DOCUMENT, "claims", as_table(["claim", "the paper", "here", *CLAIM_COLUMNS], claims))
    rows = [[Image.open(first_folder(folders, c) / "pictures.png").convert("RGB") for c in combinations] for folders in found.values()]
    contact_sheet([[p for picture in row for p in split(picture)] for row in rows], 64).quantize(128).save(SHEET, optimize=True)


def claim_line(name: str, c: dict[str, Any]) -> list[str]:
    """A claim's line of the table."""
    counts = ", ".join(str(n) for n in c["n"].values())
    if "bound" in c:
        found = [f"{c['difference']:+.3f}: both sides within {c['bound']:.3f} of the same end", "", ""]
    else:
        resampled = ", ".join(f"{subjects}: {level}" for subjects, level in c["resampled"].items())
        low, high = c["ci95"]
        found = [f"{c['difference']:+.3f} ({low:+.3f}, {high:+.3f})", f"{c['detectable']:.3f}", resampled]
    return [name, c["claim"], f"**{c['verdict']}**", *found, counts]


def first_folder(folders: Folders, combination: str) -> Path:
    """The finetuning of a combination with the smallest training seed."""
    return folders[min(key for key in folders if key[0] == combination)]


def split(sheet: Image.Image, shown: int = 3) -> list[Image.Image]:
    """The first picture of each of the first prompts of a combination's sheet."""
    side = sheet.width // load_plan(PLAN).pictures
    return [sheet.crop((0, i * side, side, (i + 1) * side)) for i in range(shown)]


def widen(rates: list[float], means: list[float]) -> list[float]:
    """The rates (ascending) with one more, as far away as the next, on the side where the best of their `means` lies at the edge; else the same."""
    best = means.index(max(means))
    if best == 0:
        return [float(f"{rates[0] ** 2 / rates[1]:.1g}"), *rates]
    if best == len(rates) - 1:
        return [*rates, float(f"{rates[-1] ** 2 / rates[-2]:.1g}")]
    return rates


def try_rates(plan: Plan, rates: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """CHOSEN_BY and their mean for every variant at every one of its rates, on the tuning combinations; by "variant rate"."""
    variants = {f"{v} {rate:g}": {**plan.variants[v], "learning_rate": rate} for v, own in rates.items() for rate in own}
    found = summarise(read_table(run_all(plan, variants, plan.tuning), plan, variants, plan.tuning), CHOSEN_BY)
    rows = {name: {k: f["value"] for k, f in figures.items()} for name, figures in found.items()}
    return {name: {**row, "mean": round(sum(row.values()) / len(row), 4)} for name, row in rows.items()}


def tune(plan: Plan) -> None:
    """Each variant at its learning rates, and at more until the best lies inside → metrics/evidence_tuning.json and docs/evidence.md."""
    rates: dict[str, list[float]] = {}
    wider, report = plan.learning_rates, {}
    while wider != rates:
        rates = wider
        report = try_rates(plan, rates)
        wider = {v: widen(own, [report[f"{v} {rate:g}"]["mean"] for rate in own]) for v, own in rates.items()}
    best = {max((f"{v} {rate:g}" for rate in own), key=lambda n: report[n]["mean"]) for v, own in rates.items()}
    write_json(TUNING, {name: {**row, "chosen": name in best} for name, row in report.items()})
    cells = {name: [*name.split(), *(f"{v:.3f}" for v in row.values())] for name, row in report.items()}
    lines = [[f"**{c}**" if name in best else c for c in row] for name, row in cells.items()]
    fill_table(DOCUMENT, "tuning", as_table(["method", "learning rate", *CHOSEN_BY, "mean"], lines).replace("_", " "))
    print(TUNING.read_text())


def main(
    tune_rates: Annotated[bool, typer.Option("--tune", help="compare learning rates on the tuning combinations instead")] = False,
) -> None:
    """Hold the paper's claims against pictures of held-out toys."""
    silence_libraries()
    plan = load_plan(PLAN)
    if tune_rates:
        tune(plan)
        return
    found = run_all(plan, plan.variants, plan.combinations)
    table = read_table(found, plan, plan.variants, plan.combinations)
    report = {"claims": judge_claims(table), "variants": summarise(table, FIGURES)}
    write_json(OUT, report)
    write_document(report, found, plan.combinations)
    print(DOCUMENT.read_text())


if __name__ == "__main__":
    typer.run(main)
