"""What the base itself draws of each subject's class before it learns: the pictures that prior preservation keeps it to."""

from PIL import Image

from vd_core.bases.stable_diffusion import Base
from vd_core.generation.pictures import generate_pictures
from vd_core.seeds import seed_for
from vd_core.settings import Settings


def draw_priors(base: Base, prompts: list[list[str]], settings: Settings) -> list[list[Image.Image]]:
    """A picture of every prompt, list by list; none at all if `settings.prior.weight` is 0. `base` must not be customized yet."""
    if not settings.prior.weight:
        return []
    drawn, sampling = [], settings.sampling
    for i, own in enumerate(prompts):
        seeds = [seed_for("prior", settings.schedule.seed, i, n) for n in range(len(own))]
        drawn.append(generate_pictures(base, own, seeds, sampling.num_inference_steps, sampling.guidance_scale))
    return drawn
