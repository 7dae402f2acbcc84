"""VideoDreamer's own: Disen-Mix finetuning (III-C, Eqs. 5 to 10) with LoRA and the visual adapter."""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from vd_core.bases.encode import tokenize
from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.lora import add_lora, load_lora, save_lora
from vd_core.customisation.visual_adapter import VisualAdapter, load_visual_adapter, save_visual_adapter
from vd_core.inputs.prompts import extended_prompt, mixed_prompt, repeated_prompt
from vd_core.inputs.scattering import Scattered
from vd_core.inputs.subjects import Subject
from vd_core.methods.priors import draw_priors
from vd_core.methods.region_terms import add_region_texts, alone_loss, choose_alone
from vd_core.seeds import seed_for
from vd_core.settings import DisenMix, Settings
from vd_core.training.data import Batch, FinetuningData, PriorData, build_data, draw_batch, encode_labelled
from vd_core.training.loop import Progress
from vd_core.training.losses import disen_mix_loss, disentangled_loss, prior_preservation_loss, separate_loss, weak_denoising_loss
from vd_core.training.step import Models, gather_embeds, learn, predict, weigh


def finetune(
    base: Base,
    subjects: list[Subject],
    pictures: list[list[Image.Image]],
    mixed: list[Image.Image],
    settings: Settings,
    progress: Progress,
    folder: Path,
    scattered: Sequence[Scattered] = (),
) -> None:
    """L1 + L2 + L3; without P_N, f_j or L3 where the settings turn them off (the paper's ablations).

    `scattered` pictures, which have no stitches, are mixed pictures under P_c; with `regions` each subject has its own text in its box of them.
    """
    prompt = extended_prompt(subjects) if settings.disen_mix.stitch_prompt else mixed_prompt(subjects)
    prior = draw_prior(base, subjects, settings)
    owns = [s.instance_prompt for s in subjects]
    regions = [repeated_prompt(p, len(owns)) for p in owns] if settings.disen_mix.repeat and settings.disen_mix.regions else []
    data = build_data(base, pictures, mixed, owns, prompt, scattered, mixed_prompt(subjects), regions)
    add_lora(base, settings.lora.rank, settings.schedule.seed, settings.lora.targets)
    torch.manual_seed(seed_for("visual adapter", settings.schedule.seed))
    visual_adapter = VisualAdapter(base.text_encoder.config.hidden_size).to(base.device)
    train(base, visual_adapter, data, settings, progress, prior)
    save_lora(base, folder)
    save_visual_adapter(visual_adapter, folder)


def refinetune(
    base: Base,
    subjects: list[Subject],
    pictures: list[list[Image.Image]],
    picked: list[Image.Image],
    before: Path,
    settings: Settings,
    progress: Progress,
    folder: Path,
) -> None:
    """HLR (III-D): from the weights in `before` on, with Eq. 10, the `picked` pictures in D_mix's place and P_c in P'_c's, since they have no stitches."""
    prior = draw_prior(base, subjects, settings)
    data = build_data(base, pictures, picked, [s.instance_prompt for s in subjects], mixed_prompt(subjects))
    load_lora(base, before, trainable=True)
    visual_adapter = load_visual_adapter(before).to(base.device)
    train(base, visual_adapter, data, settings, progress, prior)
    save_lora(base, folder)
    save_visual_adapter(visual_adapter, folder)


def draw_prior(base: Base, subjects: list[Subject], settings: Settings) -> PriorData | None:
    """The base's own pictures of each subject's class, if they are to be preserved. `base` must not be customized yet."""
    if not settings.disen_mix.prior_preservation:
        return None
    prompts = [s.class_prompt for s in subjects]
    drawn = draw_priors(base, [[p] * settings.prior.pictures for p in prompts], settings)
    return PriorData(encode_labelled(base, drawn), tokenize(base, prompts)) if drawn else None


def train(
    base: Base,
    visual_adapter: VisualAdapter,
    data: FinetuningData,
    settings: Settings,
    progress: Progress,
    prior: PriorData | None = None,
) -> None:
    """Train the base's LoRA and `visual_adapter` in place, by Eq. 10; with a `prior`, by DreamBooth's second term too."""

    own = settings.disen_mix

    def loss_fn(parts: Models, generator: torch.Generator) -> dict[str, torch.Tensor]:
        batch = draw_batch(data, generator, settings.batch_per_subject, settings.batch_mixed)
        losses = train_step(base, parts, batch, generator, own, settings.min_snr_gamma)
        if prior:
            losses["prior"] = prior_step(base, parts, prior, generator, settings)
            losses["loss"] = losses["loss"] + losses["prior"]
        return losses

    parts: Models = {"unet": base.unet, "text_encoder": base.text_encoder, "visual_adapter": visual_adapter}
    samples = settings.batch_per_subject * len(data.instance.subject_ids.unique()) + settings.batch_mixed
    seen = [data.instance.moments.mean, data.mixed.mean, data.image_embeds, data.prompt_ids]
    seen += [] if data.boxes is None else [data.boxes]
    learn(base, parts, loss_fn, settings, progress, samples, [*seen, prior.pictures.moments.mean] if prior else seen)


def prior_step(base: Base, parts: Models, prior: PriorData, generator: torch.Generator, settings: Settings) -> torch.Tensor:
    """DreamBooth's second term: `batch_per_subject` of the base's own pictures of each class under its prompt; a scalar."""
    latents, ids = prior.pictures.draw(settings.batch_per_subject, generator)
    encoder_hidden_states = gather_embeds(parts["text_encoder"](prior.prompt_ids).last_hidden_state, ids)
    model_pred, target = predict(base, parts["unet"], latents, encoder_hidden_states, generator, settings.min_snr_gamma)
    return prior_preservation_loss(model_pred, target, ids, settings.prior.weight)


def train_step(
    base: Base, parts: Models, batch: Batch, generator: torch.Generator, own: DisenMix, min_snr_gamma: float = 0.0
) -> dict[str, torch.Tensor]:
    """Eqs. 5 to 10 in one batched U-Net call; L2 and L3 see the same noisy latents and timesteps. `own` says what is left out or added.

    `parts` are "unet", "text_encoder" and "visual_adapter" as they train. Returns the scalars `loss`, `separate` (L1), `disentangled` (L2) and
    `weak_denoising` (L3), and with regions `alone`.
    """
    latents, s = batch.latents, len(batch.subject_ids)
    noised = base.add_noise(latents, generator)

    prompt_embeds = parts["text_encoder"](batch.prompt_ids).last_hidden_state
    extended = gather_embeds(prompt_embeds, batch.mixed_prompts)  # E_T(P'_c), or E_T(P_c) of a picture without stitches
    visual = parts["visual_adapter"](batch.image_embeds)[:, None] * own.visual_embedding  # f_j of Eq. 7, one vector for every token
    texts = torch.cat([gather_embeds(prompt_embeds, batch.subject_ids), extended + visual, extended])
    samples = torch.cat([torch.arange(len(latents)), torch.arange(s, len(latents))]).to(latents.device)
    alone = choose_alone(batch, generator) if own.regions and batch.boxes is not None else None
    extra = {}
    if alone:
        texts = torch.cat([texts, gather_embeds(prompt_embeds, batch.own_prompts[alone.subject_ids])])
        texts, extra = add_region_texts(texts, prompt_embeds, batch, len(alone.samples))
        samples = torch.cat([samples, alone.samples])

    timesteps = noised.timesteps[samples]
    model_pred = parts["unet"](noised.latents[samples], timesteps, texts, **extra).sample
    model_pred, target = weigh(model_pred, noised.target[samples], base.noise_scheduler, timesteps, min_snr_gamma)
    m = len(visual)
    separate_pred, disentangled_pred, weak_pred, alone_pred = model_pred.split([s, m, m, len(samples) - s - 2 * m])

    separate = separate_loss(separate_pred, target[:s], batch.subject_ids)  # Eq. 5
    disentangled = disentangled_loss(disentangled_pred, target[s : s + m])  # Eq. 8
    weak = weak_denoising_loss(weak_pred, target[s : s + m], own.weak_denoising)  # Eq. 9
    losses = {"separate": separate, "disentangled": disentangled, "weak_denoising": weak}
    loss = disen_mix_loss(separate, disentangled, weak)  # Eq. 10
    if own.regions and batch.boxes is not None:
        losses["alone"] = alone_loss(alone_pred, target[s + 2 * m :], alone.boxes) if alone else loss.new_zeros(())
        loss = loss + losses["alone"]
    return {"loss": loss, **losses}
