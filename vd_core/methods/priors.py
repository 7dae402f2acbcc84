"""What the base itself draws of each subject's class before it learns: the pictures that prior preservation keeps it to."""

from PIL import Image

from vd_core.bases.stable_diffusion import Base
from vd_core.generation.pictures import generate_pictures
from vd_core.inputs.subjects import Subject
from vd_core.seeds import seed_for
from vd_core.training.data import Labelled, encode_labelled
from vd_core.training.step import Settings

NUM_INFERENCE_STEPS, GUIDANCE_SCALE = 25, 5.0


def draw_priors(base: Base, subjects: list[Subject], settings: Settings) -> Labelled:
    """`settings.prior_pictures` of "a cate_i" for every subject, encoded; `base` must not be customised yet."""
    drawn: list[list[Image.Image]] = []
    for i, subject in enumerate(subjects):
        seeds = [seed_for("prior", settings.seed, i, n) for n in range(settings.prior_pictures)]
        prompts = [subject.class_prompt] * len(seeds)
        drawn.append(generate_pictures(base, prompts, seeds, NUM_INFERENCE_STEPS, GUIDANCE_SCALE))
    return encode_labelled(base, drawn)
