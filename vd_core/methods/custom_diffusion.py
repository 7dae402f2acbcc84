"""Custom Diffusion (Kumari et al., arXiv:2212.04488): cross-attention's K and V and the placeholders' embeddings learn, on cropped and scaled pictures."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vd_core.bases.encode import tokenize
from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.keys_values import save_keys_and_values, train_keys_and_values
from vd_core.inputs.prompts import knows_words
from vd_core.inputs.subjects import Subject, Tokenizer
from vd_core.methods.priors import draw_priors
from vd_core.seeds import seed_for
from vd_core.settings import Settings
from vd_core.training.data import encode_labelled
from vd_core.training.loop import Progress
from vd_core.training.losses import masked_loss
from vd_core.training.step import Models, learn, predict

VIEWS = 16
"""Augmented views of each picture, made once."""
SMALL, LARGE = ("far away", "very small"), ("zoomed in", "close up")
"""What a prompt may say of a shrunken and of an enlarged view, as published."""


@dataclass(frozen=True)
class View:
    """One augmented picture, where the original stands in it (left, top, right, bottom, in pixels), and what may be said of it."""

    picture: Image.Image
    box: tuple[int, int, int, int]
    prefixes: tuple[str, ...]


def augment(picture: Image.Image, rng: np.random.Generator) -> View:
    """As in Adobe's file: two times in three of size 1/3 to 1, else 1.2 to 1.4; below 0.6 shrunk onto gray, above 1 cropped, else left whole."""
    side = picture.width
    whole = (0, 0, side, side)
    low, high = (side // 3, side + 1) if rng.random() < 2 / 3 else (int(1.2 * side), int(1.4 * side) + 1)
    size = int(rng.integers(low, high))
    left, top = (int(v) for v in rng.integers(0, abs(side - size) + 1, 2))
    if size < 0.6 * side:
        canvas = Image.new("RGB", picture.size, (128, 128, 128))
        canvas.paste(picture.resize((size, size), Image.Resampling.LANCZOS), (left, top))
        return View(canvas, (left, top, left + size, top + size), SMALL)
    if size > side:
        enlarged = picture.resize((size, size), Image.Resampling.LANCZOS)
        return View(enlarged.crop((left, top, left + side, top + side)), whole, LARGE)
    return View(picture, whole, ())


def prompt_view(view: View, instance_prompt: str, tokenizer: Tokenizer, rng: np.random.Generator) -> str:
    """ "<prefix> P_i" with one of the prefixes whose words the base knows; P_i alone if it knows none, as the embedded base."""
    known = [p for p in view.prefixes if knows_words(tokenizer, p)]
    return f"{rng.choice(known)} {instance_prompt}" if known else instance_prompt


def mask_view(view: View, side: int) -> torch.Tensor:
    """The latents that say something, `[1, side, side]`, 1 or 0: all of a full view, else the original's without its outermost ones (Adobe's)."""
    mask = torch.zeros(1, side, side)
    if view.box == (0, 0, *view.picture.size):
        return mask + 1
    left, top, right, bottom = (v * side // view.picture.width for v in view.box)
    mask[:, top + 1 : bottom - 1, left + 1 : right - 1] = 1
    return mask


def finetune(
    base: Base,
    subjects: list[Subject],
    pictures: list[list[Image.Image]],
    mixed: list[Image.Image],
    settings: Settings,
    progress: Progress,
    folder: Path,
) -> None:
    """Augmented views under "<prefix> P_i" and, unless the prior's weight is 0, the base's own pictures of the class. `mixed` is unused.

    As published, the tokens' embeddings learn at the same rate as the keys and values.
    """
    settings = replace(settings, text_encoder_learning_rate=settings.schedule.learning_rate)
    rng = np.random.default_rng(seed_for("views", settings.schedule.seed))
    views = [[augment(p, rng) for p in own for _ in range(VIEWS)] for own in pictures]
    prompts = [prompt_view(v, s.instance_prompt, base.tokenizer, rng) for s, vs in zip(subjects, views, strict=True) for v in vs]
    prior_prompts = [[s.class_prompt] * settings.prior.pictures for s in subjects]
    priors = draw_priors(base, prior_prompts, settings)
    data = encode_labelled(base, [*([v.picture for v in vs] for vs in views), *priors])
    side = data.moments.mean.shape[-1]
    masks = torch.stack([mask_view(v, side) for vs in views for v in vs] + [torch.ones(1, side, side) for own in priors for _ in own])
    masks = masks.to(base.device)
    prompt_ids = tokenize(base, prompts + [p for own in prior_prompts[: len(priors)] for p in own])
    n, per_subject = settings.batch_per_subject * len(subjects), settings.batch_per_subject
    train_keys_and_values(base, [s.placeholder_token for s in subjects])

    def loss_fn(parts: Models, generator: torch.Generator) -> dict[str, torch.Tensor]:
        chosen = data.choose(per_subject, generator)
        latents = data.moments.sample(chosen, generator)
        encoder_hidden_states = parts["text_encoder"](prompt_ids[chosen]).last_hidden_state
        model_pred, target = predict(base, parts["unet"], latents, encoder_hidden_states, generator, settings.min_snr_gamma)
        losses = masked_loss(model_pred, target, masks[chosen]) / per_subject
        separate = losses[:n].sum()
        if not priors:
            return {"loss": separate}
        prior = settings.prior.weight * losses[n:].sum()
        return {"loss": separate + prior, "separate": separate, "prior": prior}

    parts: Models = {"unet": base.unet, "text_encoder": base.text_encoder}
    learn(base, parts, loss_fn, settings, progress, 2 * n if priors else n, [data.moments.mean, prompt_ids])
    save_keys_and_values(base, folder)
