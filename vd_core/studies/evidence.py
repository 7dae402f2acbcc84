"""The paper's comparison on the drawn world: one method or ablation on one combination of held-out toys, single pictures, read by all judges."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from PIL import Image

from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.customisation.load import load_customisation
from vd_core.errors import InputError
from vd_core.files import write_json
from vd_core.generation.pictures import generate_pictures
from vd_core.inputs.mixing import draw_mixtures, mix_pictures
from vd_core.inputs.pictures import contact_sheet
from vd_core.inputs.prompts import mixed_prompt, plain_prompt, scene_prompt
from vd_core.inputs.subjects import Subject
from vd_core.methods import disen_mix
from vd_core.methods.named import METHODS
from vd_core.metrics.fidelity import SubjectReference, refer_to
from vd_core.metrics.judges import Judges, load_local_judges
from vd_core.metrics.report import judge_picture, to_unit
from vd_core.metrics.stitch import has_seam
from vd_core.seeds import seed_for
from vd_core.settings import Settings
from vd_core.toybox.reading.binding import attribute_binding
from vd_core.toybox.reading.reader import AttributeReader, load_reader, read_picture
from vd_core.toybox.world.demo import SEED, draw_subject
from vd_core.toybox.world.scenes import RARE_WORDS
from vd_core.training.loop import Progress

SUBJECT_OFFSET = 10_000
Toys = dict[str, tuple[str, str, str]]


@dataclass(frozen=True)
class Plan:
    """benchmarks/evidence.yaml: what is compared on what."""

    training_seeds: list[int]
    prompts: list[str]
    pictures: int
    num_inference_steps: int
    guidance_scale: float
    candidates: int
    picks: int
    combinations: dict[str, Toys]
    tuning: dict[str, Toys]
    variants: dict[str, dict[str, Any]]
    learning_rates: dict[str, list[float]]


@dataclass(frozen=True)
class Jury:
    """Everyone who reads a picture: the public judges and the attribute reader."""

    judges: Judges
    reader: AttributeReader


def load_plan(path: Path) -> Plan:
    """Read the plan; InputError if it is not one."""
    try:
        content = yaml.safe_load(path.read_text())
        sections = {
            k: {n: {kind: tuple(i) for kind, i in toys.items()} for n, toys in content.pop(k).items()} for k in ("combinations", "tuning")
        }
        return Plan(**content, **sections)
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is not a valid plan ({error}); take it from the repository") from None


def load_jury(folder: Path) -> Jury:
    """The judges of the base in `folder`."""
    return Jury(load_local_judges(folder / "judges", torch.device("cpu")), load_reader(folder / "judges"))


def draw_toys(toys: Toys, base: Base) -> tuple[list[Subject], list[list[Image.Image]]]:
    """The subjects of a combination and five drawn pictures of each."""
    subjects = [Subject(kind, kind, token, Path()) for kind, token in zip(toys, RARE_WORDS, strict=False)]
    drawn = [draw_subject(kind, identity, SEED + SUBJECT_OFFSET + 100 * s) for s, (kind, identity) in enumerate(toys.items())]
    side = (base.resolution, base.resolution)
    return subjects, [[Image.fromarray(p).resize(side) for p in own] for own in drawn]


def mix(pictures: list[list[Image.Image]], count: int, seed: int) -> list[Image.Image]:
    """D_mix of `count` pictures (Eq. 6)."""
    mixtures = draw_mixtures([len(own) for own in pictures], count, seed)
    return [mix_pictures([own[m] for own, m in zip(pictures, chosen, strict=True)], pictures[0][0].width) for chosen in mixtures]


def run_variant(
    folder: Path, toys: Toys, method: str, hlr: int, settings: Settings, mixed_count: int, plan: Plan, target: Path
) -> list[dict[str, Any]]:
    """Customize the base in `folder` for `toys` by `method` (then, if `hlr`, on for as many steps on the best-ranked pictures); draw and read.

    The training seed, `settings.schedule.seed`, decides D_mix and all training noise; the pictures' seeds are the same for every finetuning.
    Writes `pictures.png` (rows: prompts) and the rows of figures, `figures.json`, into `target`; returns the rows.
    """
    base, jury = load_base(folder_source(folder), torch.device("cpu")), load_jury(folder)
    subjects, pictures = draw_toys(toys, base)
    known = [refer_to(jury.judges, s.class_noun, to_unit(own)) for s, own in zip(subjects, pictures, strict=True)]
    mixed = mix(pictures, mixed_count, settings.schedule.seed)
    target.mkdir(parents=True, exist_ok=True)
    METHODS[method](base, subjects, pictures, mixed, settings, Progress(target / "progress"), target)
    if hlr:
        base = refinetune(folder, base, subjects, pictures, known, jury, settings, hlr, plan, target)
    prompts = [scene_prompt(subjects, p) for p in plan.prompts for _ in range(plan.pictures)]
    seeds = [seed_for("picture", i) for i in range(len(prompts))]
    drawn = generate_pictures(base, prompts, seeds, plan.num_inference_steps, plan.guidance_scale)
    rows = [read_row(jury, p, known, toys, plain_prompt(q, subjects)) for p, q in zip(drawn, prompts, strict=True)]
    contact_sheet([drawn[i : i + plan.pictures] for i in range(0, len(drawn), plan.pictures)], base.resolution, 0).save(
        target / "pictures.png"
    )
    write_json(target / "figures.json", rows)
    return rows


def draw_bare(folder: Path, toys: Toys, plan: Plan, target: Path) -> list[float]:
    """1.0 for a picture with a seam, 0.0 for one without, of pictures of nothing but the toys (P_c: no place, no action).

    Drawn by the base in `folder` with the weights in `target`; as many as there are other pictures. Writes `bare.png` and `bare.json` there.
    """
    base = load_base(folder_source(folder), torch.device("cpu"))
    load_customisation(base, target)
    subjects, _ = draw_toys(toys, base)
    count = len(plan.prompts) * plan.pictures
    seeds = [seed_for("bare", i) for i in range(count)]
    drawn = generate_pictures(base, [mixed_prompt(subjects)] * count, seeds, plan.num_inference_steps, plan.guidance_scale)
    contact_sheet([drawn], base.resolution, 0).save(target / "bare.png")
    stitched = [float(has_seam(np.asarray(p))) for p in drawn]
    write_json(target / "bare.json", stitched)
    return stitched


def refinetune(
    folder: Path,
    base: Base,
    subjects: list[Subject],
    pictures: list[list[Image.Image]],
    known: list[SubjectReference],
    jury: Jury,
    settings: Settings,
    steps: int,
    plan: Plan,
    target: Path,
) -> Base:
    """HLR with nobody in the loop: the best-ranked candidates of `base` are the picks (III-D); the base in `folder`, re-finetuned."""
    prompt = mixed_prompt(subjects)
    seeds = [seed_for("candidate", settings.schedule.seed, i) for i in range(plan.candidates)]
    candidates = generate_pictures(base, [prompt] * len(seeds), seeds, plan.num_inference_steps, plan.guidance_scale)
    scores = [judge_picture(jury.judges, c, known, plain_prompt(prompt, subjects))["rank_score"] for c in candidates]
    best = sorted(range(len(seeds)), key=lambda i: -scores[i])[: plan.picks]
    again = load_base(folder_source(folder), torch.device("cpu"))
    schedule = replace(settings.schedule, steps=steps, seed=seed_for("refinetune", settings.schedule.seed))
    picked, settings = [candidates[i] for i in best], replace(settings, schedule=schedule)
    disen_mix.refinetune(again, subjects, pictures, picked, target, settings, Progress(target / "progress-hlr"), target)
    return again


def read_row(jury: Jury, picture: Image.Image, known: list[SubjectReference], toys: Toys, prompt: str) -> dict[str, Any]:
    """The figures of one picture of `toys`, each the mean over them: `fidelity` and `missing` by detection and identity, as the paper has them,
    `text_fidelity`, `stitched`, and those of `attribute_binding`.
    """
    figures = judge_picture(jury.judges, picture, known, prompt)
    n = len(toys)
    return {
        "fidelity": sum(figures["identity"]) / n,
        "missing": figures["missing"] / n,
        **attribute_binding(read_picture(jury.judges, jury.reader, picture), toys),
        "text_fidelity": figures["text_fidelity"],
        "stitched": float(figures["stitched"]),
        "subjects": n,
    }
