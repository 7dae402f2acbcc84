"""How good a finetuning is while it runs: a contact sheet and our own figures, since the loss does not tell which checkpoint is best."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from diffusers.models.attention_processor import AttnProcessor2_0

from vd_core.bases.attention import attention_processors
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.pictures import generate_pictures
from vd_core.inputs.pictures import numbered_sheet
from vd_core.inputs.prompts import plain_prompt, scene_prompt
from vd_core.inputs.subjects import Subject
from vd_core.metrics.fidelity import SubjectReference
from vd_core.metrics.judges import Judges
from vd_core.metrics.report import judge_picture
from vd_core.seeds import seed_for
from vd_core.settings import Sampling


def build_validation(
    base: Base,
    judges: Judges,
    references: list[SubjectReference],
    subjects: list[Subject],
    places: tuple[str, ...],
    count: int,
    sampling: Sampling,
    seed: int,
    folder: Path,
) -> Callable[[int], dict[str, float]]:
    """A function of the step that draws `count` pictures of all subjects with `base` as it is, writes `<step>.jpg` into `folder` and judges them.

    Every validation has the same noise. Its figures: `fidelity` (mean identity), `missing` (share of subjects), `stitched` (share of pictures),
    `text_fidelity`, and `score`, the mean of the rank scores by which HLR's candidates are ranked.
    """
    seeds = [seed_for("validation", seed, i) for i in range(count)]
    prompts = [scene_prompt(subjects, places[i % len(places)]) for i in range(count)]

    def validate(step: int) -> dict[str, float]:
        with torch.random.fork_rng(), attention_processors(base.unet, AttnProcessor2_0()):
            pictures = generate_pictures(base, prompts, seeds, sampling.num_inference_steps, sampling.guidance_scale)
        rows = [judge_picture(judges, p, references, plain_prompt(q, subjects)) for p, q in zip(pictures, prompts, strict=True)]
        folder.mkdir(parents=True, exist_ok=True)
        numbered_sheet(pictures).save(folder / f"{step:05d}.jpg", quality=90)
        return {
            "fidelity": float(np.mean([row["identity"] for row in rows])),
            "missing": float(np.mean([row["missing"] / len(subjects) for row in rows])),
            "stitched": float(np.mean([row["stitched"] for row in rows])),
            "text_fidelity": float(np.mean([row["text_fidelity"] for row in rows])),
            "score": float(np.mean([row["rank_score"] for row in rows])),
        }

    return validate
