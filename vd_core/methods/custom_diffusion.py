"""Custom Diffusion (Kumari et al., arXiv:2212.04488): cross-attention's K and V and the placeholders' embeddings learn, on cropped and scaled pictures."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from vd_core.bases.encode import tokenize
from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.keys_values import save_keys_and_values, train_keys_and_values
from vd_core.inputs.subjects import Subject
from vd_core.methods.priors import draw_priors
from vd_core.seeds import seed_for
from vd_core.training.data import encode_labelled
from vd_core.training.loop import Progress
from vd_core.training.losses import masked_loss, prior_preservation_loss
from vd_core.training.step import Models, Settings, learn, predict

VIEWS = 16
"""Augmented views of each picture, made once."""


@dataclass(frozen=True)
class View:
    """One augmented picture, the part of it that says something (`[h, w]`, 1 or 0), and what a caption says of it."""

    picture: Image.Image
    mask: np.ndarray
    prefix: str


def augment(picture: Image.Image, rng: np.random.Generator) -> View:
    """As published: two times in three shrunk onto a plain ground, "far away" if below 0.6, otherwise enlarged by 1.2 to 1.4, "close up", and cropped."""
    side = picture.width
    if rng.random() < 2 / 3:
        small = int(rng.integers(side // 3, side + 1))
        left, top = (int(v) for v in rng.integers(0, side - small + 1, 2))
        canvas, mask = Image.new("RGB", picture.size, (128, 128, 128)), np.zeros((side, side), dtype=np.float32)
        canvas.paste(picture.resize((small, small), Image.Resampling.LANCZOS), (left, top))
        mask[top : top + small, left : left + small] = 1
        return View(canvas, mask, "far away" if small < 0.6 * side else "")
    large = int(rng.integers(int(1.2 * side), int(1.4 * side) + 1))
    left, top = (int(v) for v in rng.integers(0, large - side + 1, 2))
    cropped = picture.resize((large, large), Image.Resampling.LANCZOS).crop((left, top, left + side, top + side))
    return View(cropped, np.ones((side, side), dtype=np.float32), "close up")


def finetune(
    base: Base,
    subjects: list[Subject],
    pictures: list[list[Image.Image]],
    mixed: list[Image.Image],
    settings: Settings,
    progress: Progress,
    folder: Path,
) -> None:
    """Augmented views under "<prefix> P_i" and the base's own pictures of the class. `mixed` is of no use here.

    As published, the tokens' embeddings learn at the same rate as the keys and values.
    """
    settings = replace(settings, text_encoder_learning_rate=settings.learning_rate)
    rng = np.random.default_rng(seed_for("views", settings.seed))
    views = [[augment(p, rng) for p in own for _ in range(VIEWS)] for own in pictures]
    own, priors = encode_labelled(base, [[v.picture for v in vs] for vs in views]), draw_priors(base, subjects, settings)
    masks = shrink_masks(np.stack([v.mask for vs in views for v in vs]), own.moments.mean.shape[-1]).to(base.device)
    prompts = [f"{v.prefix} {s.instance_prompt}".strip() for s, vs in zip(subjects, views, strict=True) for v in vs]
    view_ids, class_ids = tokenize(base, prompts), tokenize(base, [s.class_prompt for s in subjects])
    train_keys_and_values(base, [s.placeholder_token for s in subjects])

    def loss_fn(parts: Models, generator: torch.Generator) -> dict[str, torch.Tensor]:
        chosen = own.choose(settings.batch_per_subject, generator)
        prior_latents, prior_ids = priors.draw(settings.batch_per_subject, generator)
        latents = torch.cat([own.moments.sample(chosen, generator), prior_latents])
        encoder_hidden_states = parts["text_encoder"](torch.cat([view_ids[chosen], class_ids[prior_ids]])).last_hidden_state
        model_pred, target = predict(base, parts["unet"], latents, encoder_hidden_states, generator, settings.min_snr_gamma)
        n = len(chosen)
        separate = masked_loss(model_pred[:n], target[:n], masks[chosen]).sum() / settings.batch_per_subject
        prior = prior_preservation_loss(model_pred[n:], target[n:], prior_ids, settings.prior_weight)
        return {"loss": separate + prior, "separate": separate, "prior": prior}

    parts: Models = {"unet": base.unet, "text_encoder": base.text_encoder}
    learn(
        parts,
        base.device,
        loss_fn,
        settings,
        progress,
        2 * settings.batch_per_subject * len(subjects),
        [own.moments.mean, priors.moments.mean, view_ids],
    )
    save_keys_and_values(base, folder)


def shrink_masks(masks: np.ndarray, side: int) -> torch.Tensor:
    """Picture masks `[n, h, w]` to the latents' size, `[n, 1, side, side]`; a latent counts where any of its pixels does."""
    return torch.nn.functional.adaptive_max_pool2d(torch.from_numpy(masks)[:, None], side)
