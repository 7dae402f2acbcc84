"""A unit of work: the weights of one method on one combination."""

import shutil
import time
from pathlib import Path

from tasks.shared.judging import open_judges
from tasks.shared.opening import open_base
from tasks.studies.given import name_subjects, open_pictures, refer
from tasks.studies.store import alone, finetuning_path, note_seconds, placed
from tasks.studies.units import Finetuning
from vd_core.customisation.load import load_customisation
from vd_core.generation.pictures import generate_pictures
from vd_core.inputs.prompts import plain_prompt, scene_prompt
from vd_core.methods import disen_mix
from vd_core.methods.named import METHODS
from vd_core.metrics.report import judge_picture
from vd_core.seeds import seed_for
from vd_core.studies.toys import mix
from vd_core.training.loop import Progress


def finetune(unit: Finetuning, store: Path) -> None:
    """Make a finetuning's weights unless they stand; a training that was killed goes on from its checkpoint."""
    target, progress = finetuning_path(store, unit.key), Progress(store / "progress" / unit.key)
    if unit.before:
        finetune(unit.before, store)
    with alone(store, unit.key):
        if target.exists():
            return
        begun = time.perf_counter()
        with placed(target) as folder:
            folder.mkdir()
            (refine if unit.before else train)(unit, store, progress, folder)
            note_seconds(folder, time.perf_counter() - begun)
        shutil.rmtree(progress.folder, ignore_errors=True)


def train(unit: Finetuning, store: Path, progress: Progress, folder: Path) -> None:
    """The method as its own stage runs it: on D_mix of the training seed."""
    sections = unit.sections
    subjects, pictures = name_subjects(unit.subjects, sections), open_pictures(unit.subjects, sections)
    base = open_base(sections.finetune.models, sections.finetune.device, subjects)
    mixed = mix(pictures, sections.mix.count, sections.mix.seed)
    METHODS[sections.finetune.method](base, subjects, pictures, mixed, sections.finetune.training, progress, folder)


def refine(unit: Finetuning, store: Path, progress: Progress, folder: Path) -> None:
    """HLR with nobody in the loop (III-D): the best-ranked candidates are the picks."""
    sections, before = unit.sections, finetuning_path(store, unit.before.key if unit.before else "")
    sample, models, device = sections.sample, sections.finetune.models, sections.finetune.device
    subjects, pictures = name_subjects(unit.subjects, sections), open_pictures(unit.subjects, sections)
    judges = open_judges(sample.judging, device, subjects)
    base, known = open_base(models, device, subjects), refer(judges, subjects, pictures)
    load_customisation(base, before)
    prompts = [scene_prompt(subjects, sample.related_prompts[i % len(sample.related_prompts)]) for i in range(sample.candidates)]
    seeds = [seed_for("candidate", sample.seed, i) for i in range(sample.candidates)]
    candidates = generate_pictures(base, prompts, seeds, sample.sampling.num_inference_steps, sample.sampling.guidance_scale)
    scores = [judge_picture(judges, c, known, plain_prompt(p, subjects))["rank_score"] for c, p in zip(candidates, prompts, strict=True)]
    best = sorted(range(len(scores)), key=lambda i: -scores[i])[: sections.refinetune.min_picks]
    picked = [candidates[i] for i in best]
    again = open_base(models, device, subjects)
    disen_mix.refinetune(again, subjects, pictures, picked, before, sections.refinetune.training, progress, folder)
