"""SVDiff (Han et al., arXiv:2303.11305): shifts of the weights' singular values learn, from single and from cut-mix pictures, with prior preservation.

As in svdiff-pytorch the text encoder's matrices are shifted too; they have their own rate here. Left out: its token and position
embeddings, the 1-D weights of the norms (one number a layer, which learns there at a thousandth of the rate), and the paper's optional
attention regularisation ("unmix") and negative prompts.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vd_core.bases.encode import tokenize
from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.spectral import add_spectral_shifts, save_spectral_shifts
from vd_core.inputs.mixing import draw_mixtures, mix_pictures
from vd_core.inputs.prompts import placed_prompt
from vd_core.inputs.subjects import Subject, Tokenizer
from vd_core.methods.priors import draw_priors
from vd_core.seeds import seed_for
from vd_core.settings import Settings
from vd_core.training.data import encode_labelled
from vd_core.training.loop import Progress
from vd_core.training.losses import denoising_loss
from vd_core.training.step import Models, learn, predict

CUT_MIX = 0.6
"""How often a sample is a cut-mix picture, as published."""


def cut_mix(
    subjects: list[Subject], pictures: list[list[Image.Image]], count: int, tokenizer: Tokenizer, seed: int
) -> tuple[list[Image.Image], list[str], list[str]]:
    """`count` pictures of all subjects in random order from left to right, what each shows where, and the same of their classes."""
    rng = np.random.default_rng(seed_for("cut-mix", seed))
    mixtures, prompts, class_prompts = [], [], []
    for chosen in draw_mixtures([len(own) for own in pictures], count, seed):
        order = rng.permutation(len(subjects))
        mixtures.append(mix_pictures([pictures[i][chosen[i]] for i in order], pictures[0][0].width))
        prompts.append(placed_prompt([subjects[i].instance_prompt for i in order], tokenizer))
        class_prompts.append(placed_prompt([subjects[i].class_prompt for i in order], tokenizer))
    return mixtures, prompts, class_prompts


def draw_kinds(count: int, subjects: int, generator: torch.Generator) -> torch.Tensor:
    """What each of `count` samples shows, `[count]`: with probability CUT_MIX a mixture (`subjects`), else a subject's own (its number, in turn)."""
    mixed = torch.rand(count, generator=generator) < CUT_MIX
    return torch.where(mixed, subjects, torch.arange(count) % subjects)


def finetune(
    base: Base,
    subjects: list[Subject],
    pictures: list[list[Image.Image]],
    mixed: list[Image.Image],
    settings: Settings,
    progress: Progress,
    folder: Path,
) -> None:
    """Subjects' own pictures under P_i, cut-mix ones under what stands where, and, unless the prior's weight is 0, the base's own of either kind.

    A step takes as many samples as Disen-Mix's has pictures (`batch_per_subject` of each subject and `batch_mixed`), and as many priors. Of
    `mixed` only the number matters: its order is fixed.
    """
    mixtures, placed, placed_classes = cut_mix(subjects, pictures, len(mixed), base.tokenizer, settings.schedule.seed)
    prior_prompts = [[s.class_prompt] * settings.prior.pictures for s in subjects]
    prior_prompts.append([placed_classes[i % len(mixed)] for i in range(settings.prior.pictures)])
    priors = draw_priors(base, prior_prompts, settings)
    data = encode_labelled(base, [*pictures, mixtures, *priors])
    own_prompts = [s.instance_prompt for s, own in zip(subjects, pictures, strict=True) for _ in own]
    prompt_ids = tokenize(base, [*own_prompts, *placed, *(p for own in prior_prompts[: len(priors)] for p in own)])
    n, is_prior = settings.batch_per_subject * len(subjects) + settings.batch_mixed, len(subjects) + 1
    add_spectral_shifts(base)

    def loss_fn(parts: Models, generator: torch.Generator) -> dict[str, torch.Tensor]:
        kinds = draw_kinds(n, len(subjects), generator)
        chosen = data.choose_each(torch.cat([kinds, kinds + is_prior]) if priors else kinds, generator)
        latents = data.moments.sample(chosen, generator)
        encoder_hidden_states = parts["text_encoder"](prompt_ids[chosen]).last_hidden_state
        model_pred, target = predict(base, parts["unet"], latents, encoder_hidden_states, generator, settings.min_snr_gamma)
        losses = denoising_loss(model_pred, target)
        instance = losses[:n].mean()
        if not priors:
            return {"loss": instance}
        prior = settings.prior.weight * losses[n:].mean()
        return {"loss": instance + prior, "instance": instance, "prior": prior}

    parts: Models = {"unet": base.unet, "text_encoder": base.text_encoder}
    learn(base, parts, loss_fn, settings, progress, 2 * n if priors else n, [data.moments.mean, prompt_ids])
    save_spectral_shifts(base, folder)
