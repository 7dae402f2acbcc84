"""What every finetuning shares: its settings, the noised prediction, and the call of the loop."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import partial

import torch
from diffusers import DDPMScheduler
from torch import nn

from vd_core.bases.attention import training_attention
from vd_core.bases.stable_diffusion import Base
from vd_core.files import fingerprint_of
from vd_core.training.loop import Progress, Run, build_accelerator, optimise
from vd_core.training.losses import min_snr_weights

Models = dict[str, nn.Module]
LossFn = Callable[[Models, torch.Generator], dict[str, torch.Tensor]]


@dataclass(frozen=True)
class Settings:
    """How long and how fast to learn. Learning rates are AdamW's; the text encoder has its own. The rest is the methods' own; see params.yaml."""

    steps: int
    learning_rate: float
    text_encoder_learning_rate: float
    lora_rank: int
    lora_targets: str
    weak_denoising: float
    stitch_prompt: bool
    visual_embedding: bool
    prior_pictures: int
    prior_weight: float
    batch_per_subject: int
    batch_mixed: int
    max_grad_norm: float
    linear_decay: bool
    mixed_precision: str
    gradient_accumulation: int
    gradient_checkpointing: bool
    compile: bool
    min_snr_gamma: float
    validate_every: int
    keep_best: bool
    seed: int


def weigh(
    model_pred: torch.Tensor, target: torch.Tensor, noise_scheduler: DDPMScheduler, timesteps: torch.Tensor, min_snr_gamma: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Both scaled so that every squared error between them carries its min-SNR weight; as they are if `min_snr_gamma` is 0."""
    if not min_snr_gamma:
        return model_pred, target
    weights = min_snr_weights(noise_scheduler.alphas_cumprod, timesteps, min_snr_gamma, noise_scheduler.config.prediction_type)
    root = weights.sqrt()[:, None, None, None]
    return model_pred * root, target * root


def predict(
    base: Base,
    unet: nn.Module,
    latents: torch.Tensor,
    encoder_hidden_states: torch.Tensor,
    generator: torch.Generator,
    min_snr_gamma: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise `latents` `[b, c, h, w]` and denoise them; the prediction and what it should have been, `[b, c, h, w]` each, weighted by min-SNR."""
    noised = base.add_noise(latents, generator)
    model_pred = unet(noised.latents, noised.timesteps, encoder_hidden_states).sample
    return weigh(model_pred, noised.target, base.noise_scheduler, noised.timesteps, min_snr_gamma)


def named_trainable(parts: Models) -> dict[str, nn.Parameter]:
    """Every parameter that learns, under a name that lasts."""
    return {f"{part}.{k}": p for part, module in parts.items() for k, p in module.named_parameters() if p.requires_grad}


def learn(
    parts: Models, device: torch.device, loss_fn: LossFn, settings: Settings, progress: Progress, samples: int, seen: list[torch.Tensor]
) -> None:
    """Train, in place, what learns in `parts` ("unet", "text_encoder" and what a method adds); the text encoder at its own rate.

    `loss_fn(parts, generator)` gives scalars, `loss` among them, over a batch of `samples` pictures. A checkpoint of a run with other settings,
    weights or data (`seen`) is passed over.
    """
    accelerator = build_accelerator(settings.mixed_precision, settings.gradient_accumulation, device, progress, settings.compile)
    if settings.gradient_checkpointing:
        enable_gradient_checkpointing(parts)
    parameters = named_trainable(parts)
    text = [p for k, p in parameters.items() if k.startswith("text_encoder.")]
    rest = [p for k, p in parameters.items() if not k.startswith("text_encoder.")]
    rates = ((rest, settings.learning_rate), (text, settings.text_encoder_learning_rate))
    groups = [{"params": own, "lr": rate} for own, rate in rates if own]
    fingerprint = fingerprint_of(asdict(settings), [*parameters.values(), *seen])
    models = [accelerator.prepare(part) if any(p.requires_grad for p in part.parameters()) else part for part in parts.values()]
    prepared = dict(zip(parts, models, strict=True))
    shared = {f.name: getattr(settings, f.name) for f in fields(Run) if f.name not in ("name", "samples")}
    run = Run(**shared, name="finetuning", samples=samples)
    with training_attention(parts["unet"], device):
        optimise(accelerator, models, parameters, groups, partial(loss_fn, prepared), run, progress, fingerprint)


def enable_gradient_checkpointing(parts: Models) -> None:
    """Gradient checkpointing: activations are computed again on the way back instead of being kept."""
    parts["unet"].enable_gradient_checkpointing()
    parts["text_encoder"].gradient_checkpointing_enable()
    parts["text_encoder"].train()  # transformers checkpoints a module that trains, and only that
