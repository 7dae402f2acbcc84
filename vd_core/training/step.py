"""What every finetuning shares: the noised prediction, and the call of the loop."""

from collections.abc import Callable
from dataclasses import asdict
from functools import partial

import torch
from diffusers import DDPMScheduler
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from vd_core.bases.attention import training_attention
from vd_core.bases.memory import trained_at_once
from vd_core.bases.stable_diffusion import Base
from vd_core.files import fingerprint_of, sampled_fingerprint
from vd_core.settings import Settings
from vd_core.training.loop import Progress, Trained, build_accelerator, optimise
from vd_core.training.losses import min_snr_weights

Models = dict[str, nn.Module]
LossFn = Callable[[Models, torch.Generator], dict[str, torch.Tensor]]


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


def gather_embeds(prompt_embeds: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """The prompts' embeddings `[n, length, d]` of `ids` `[b]`, as `[b, length, d]`.

    Indexing would give the same, but its gradient adds what falls on one prompt in the order in which a CPU's threads come.
    """
    return functional.embedding(ids, prompt_embeds.flatten(1)).unflatten(1, prompt_embeds.shape[1:])


def named_trainable(parts: Models) -> dict[str, nn.Parameter]:
    """Every parameter that learns, under a name that lasts."""
    return {f"{part}.{k}": p for part, module in parts.items() for k, p in module.named_parameters() if p.requires_grad}


class SplitUNet(nn.Module):
    """A U-Net that is called on `samples` of a batch at a time, and computes each part again on the way back: the memory of one part, a quarter more time."""

    def __init__(self, unet: nn.Module, samples: int):
        super().__init__()
        self.unet, self.samples = unet, samples

    def forward(
        self,
        latents: torch.Tensor,
        timesteps: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        cross_attention_kwargs: dict[str, torch.Tensor] | None = None,
    ) -> UNet2DConditionOutput:
        """As the U-Net's own: latents `[b, c, h, w]`, timesteps `[b]`, embeddings `[b, n, d]`, and of the processors' tensors `[b, ...]`."""
        more = cross_attention_kwargs or {}

        def call(latents: torch.Tensor, timesteps: torch.Tensor, texts: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
            kwargs = dict(zip(more, others, strict=True)) if more else None
            return self.unet(latents, timesteps, texts, cross_attention_kwargs=kwargs).sample

        parts = zip(*(t.split(self.samples) for t in (latents, timesteps, encoder_hidden_states, *more.values())), strict=True)
        return UNet2DConditionOutput(torch.cat([checkpoint(call, *part, use_reentrant=False) for part in parts]))


def learn(
    base: Base, parts: Models, loss_fn: LossFn, settings: Settings, progress: Progress, samples: int, seen: list[torch.Tensor]
) -> None:
    """Train, in place, what learns in `parts` ("unet", "text_encoder" and what a method adds); the text encoder at its own rate.

    `loss_fn(parts, generator)` gives scalars, `loss` among them, over a batch of `samples` pictures. A checkpoint of a run with other settings,
    weights (frozen ones too) or data (`seen`) is ignored.
    """
    schedule = settings.schedule
    accelerator = build_accelerator(schedule, base.device, base.dtype, progress)
    if schedule.gradient_checkpointing:
        enable_gradient_checkpointing(parts)
    parameters = named_trainable(parts)
    text = [p for k, p in parameters.items() if k.startswith("text_encoder.")]
    rest = [p for k, p in parameters.items() if not k.startswith("text_encoder.")]
    rates = ((rest, schedule.learning_rate), (text, settings.text_encoder_learning_rate))
    groups = [{"params": own, "lr": rate} for own, rate in rates if own]
    frozen = [p for part in parts.values() for p in part.parameters() if not p.requires_grad]
    fingerprint = fingerprint_of({**asdict(settings), "frozen": sampled_fingerprint(frozen)}, [*parameters.values(), *seen])
    models = [accelerator.prepare(part) if any(p.requires_grad for p in part.parameters()) else part for part in parts.values()]
    prepared = dict(zip(parts, models, strict=True))
    if samples > trained_at_once(base):
        prepared["unet"] = SplitUNet(prepared["unet"], trained_at_once(base))
    with training_attention(parts["unet"], base.device, settings.disen_mix.regions):
        trained = Trained(models, parameters, groups, samples, "finetuning")
        optimise(accelerator, trained, partial(loss_fn, prepared), schedule, progress, fingerprint, settings.validation)


def enable_gradient_checkpointing(parts: Models) -> None:
    """Gradient checkpointing: activations are computed again on the way back instead of being kept."""
    parts["unet"].enable_gradient_checkpointing()
    parts["text_encoder"].gradient_checkpointing_enable()
    parts["text_encoder"].train()  # transformers checkpoints a module that trains, and only that
