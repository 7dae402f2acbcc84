"""Disen-Mix finetuning: one step in the equations' order, and what goes into it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import partial

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import nn

from vd_core.adapters import VisualAdapter
from vd_core.bases import Base
from vd_core.checkpoints import fingerprint_of
from vd_core.data import FinetuningData
from vd_core.losses import disen_mix_loss, disentangled_loss, min_snr_weights, separate_loss, weak_denoising_loss
from vd_core.optimisation import Progress, Run, build_accelerator, optimise

PLAIN_ATTENTION_POSITIONS = 256  # `make bench` measures it there; with more, the matrix of all pairs takes its toll
Models = dict[str, nn.Module]
LossFn = Callable[[Models, torch.Generator], dict[str, torch.Tensor]]


@dataclass(frozen=True)
class Batch:
    """Latents `[s + m, c, h, w]`: s instance pictures (`subject_ids` `[s]`), then m mixed ones (`image_embeds` `[m, d]`)."""

    latents: torch.Tensor
    subject_ids: torch.Tensor
    image_embeds: torch.Tensor
    prompt_ids: torch.Tensor


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


def denoising_target(noise_scheduler: DDPMScheduler, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
    """What the base predicts: the noise, or the velocity; ValueError for anything else."""
    match noise_scheduler.config.prediction_type:
        case "epsilon":
            return noise
        case "v_prediction":
            return noise_scheduler.get_velocity(latents, noise, timesteps)
    raise ValueError(f"prediction_type {noise_scheduler.config.prediction_type} is not supported; use an epsilon or v_prediction base")


def weigh(
    model_pred: torch.Tensor, target: torch.Tensor, noise_scheduler: DDPMScheduler, timesteps: torch.Tensor, min_snr_gamma: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Both scaled so that every squared error between them carries its min-SNR weight; as they are if `min_snr_gamma` is 0."""
    if not min_snr_gamma:
        return model_pred, target
    weights = min_snr_weights(noise_scheduler.alphas_cumprod, timesteps, min_snr_gamma, noise_scheduler.config.prediction_type)
    root = weights.sqrt()[:, None, None, None]
    return model_pred * root, target * root


def train_step(
    unet: nn.Module,
    text_encoder: nn.Module,
    visual_adapter: nn.Module,
    noise_scheduler: DDPMScheduler,
    batch: Batch,
    generator: torch.Generator,
    weak_denoising: float,
    visual_embedding: bool = True,
    min_snr_gamma: float = 0.0,
) -> dict[str, torch.Tensor]:
    """Eqs. 5 to 10 in one batched U-Net call; L2 and L3 see the same noisy latents and timesteps. Without f_j if `visual_embedding` is off.

    Returns the scalars `loss`, `separate` (L1), `disentangled` (L2) and `weak_denoising` (L3).
    """
    latents, s = batch.latents, len(batch.subject_ids)
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    timesteps = torch.randint(0, noise_scheduler.config.num_train_timesteps, (len(latents),), generator=generator).to(latents.device)
    noisy_latents = noise_scheduler.add_noise(latents, noise, timesteps)
    target = denoising_target(noise_scheduler, latents, noise, timesteps)

    prompt_embeds = text_encoder(batch.prompt_ids).last_hidden_state
    extended = prompt_embeds[-1:].expand(len(batch.image_embeds), -1, -1)  # E_T(P'_c)
    visual = visual_adapter(batch.image_embeds)[:, None] * visual_embedding  # f_j, one vector for every token
    encoder_hidden_states = torch.cat([prompt_embeds[batch.subject_ids], extended + visual, extended])

    twice = torch.cat([timesteps, timesteps[s:]])
    model_pred = unet(torch.cat([noisy_latents, noisy_latents[s:]]), twice, encoder_hidden_states).sample
    model_pred, target = weigh(model_pred, torch.cat([target, target[s:]]), noise_scheduler, twice, min_snr_gamma)
    separate_pred, disentangled_pred, weak_pred = model_pred.split([s, len(visual), len(visual)])

    separate = separate_loss(separate_pred, target[:s], batch.subject_ids)  # Eq. 5
    disentangled = disentangled_loss(disentangled_pred, target[s : len(latents)])  # Eq. 8
    weak = weak_denoising_loss(weak_pred, target[len(latents) :], weak_denoising)  # Eq. 9
    loss = disen_mix_loss(separate, disentangled, weak)  # Eq. 10
    return {"loss": loss, "separate": separate, "disentangled": disentangled, "weak_denoising": weak}


def draw_batch(data: FinetuningData, generator: torch.Generator, per_subject: int, mixed: int) -> Batch:
    """`per_subject` pictures of every subject and `mixed` mixed pictures, at random, with fresh latents."""
    instance, subject_ids = data.instance.draw(per_subject, generator)
    mixed_ids = torch.randint(len(data.image_embeds), (mixed,), generator=generator).to(subject_ids.device)
    latents = torch.cat([instance, data.mixed.sample(mixed_ids, generator)])
    return Batch(latents, subject_ids, data.image_embeds[mixed_ids], data.prompt_ids)


def predict(
    unet: nn.Module,
    noise_scheduler: DDPMScheduler,
    latents: torch.Tensor,
    encoder_hidden_states: torch.Tensor,
    generator: torch.Generator,
    min_snr_gamma: float = 0.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise `latents` `[b, c, h, w]` and denoise them; the prediction and what it should have been, `[b, c, h, w]` each, weighted by min-SNR."""
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    timesteps = torch.randint(0, noise_scheduler.config.num_train_timesteps, (len(latents),), generator=generator).to(latents.device)
    noisy_latents = noise_scheduler.add_noise(latents, noise, timesteps)
    target = denoising_target(noise_scheduler, latents, noise, timesteps)
    model_pred = unet(noisy_latents, timesteps, encoder_hidden_states).sample
    return weigh(model_pred, target, noise_scheduler, timesteps, min_snr_gamma)


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
    use_plain_attention(parts["unet"], device)
    if settings.gradient_checkpointing:
        spare_memory(parts)
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
    optimise(accelerator, models, parameters, groups, partial(loss_fn, prepared), run, progress, fingerprint)


def use_plain_attention(unet: nn.Module, device: torch.device) -> None:
    """On a CPU, attention over few positions as softmax(QK^T)V in three operations: faster there and back than the fused kernel."""
    assert isinstance(unet, UNet2DConditionModel)
    if device.type == "cpu" and unet.config.sample_size**2 <= PLAIN_ATTENTION_POSITIONS:
        unet.set_attn_processor(AttnProcessor())


def spare_memory(parts: Models) -> None:
    """Gradient checkpointing: activations are computed again on the way back instead of being kept."""
    parts["unet"].enable_gradient_checkpointing()
    parts["text_encoder"].gradient_checkpointing_enable()
    parts["text_encoder"].train()  # transformers checkpoints a module that trains, and only that


def finetune(base: Base, visual_adapter: VisualAdapter, data: FinetuningData, settings: Settings, progress: Progress) -> None:
    """Disen-Mix: train the base's LoRA and `visual_adapter` in place."""
    own = {k: getattr(settings, k) for k in ("weak_denoising", "visual_embedding", "min_snr_gamma")}

    def loss_fn(parts: Models, generator: torch.Generator) -> dict[str, torch.Tensor]:
        batch = draw_batch(data, generator, settings.batch_per_subject, settings.batch_mixed)
        return train_step(**parts, noise_scheduler=base.noise_scheduler, batch=batch, generator=generator, **own)

    parts: Models = {"unet": base.unet, "text_encoder": base.text_encoder, "visual_adapter": visual_adapter}
    samples = settings.batch_per_subject * len(data.instance.subject_ids.unique()) + settings.batch_mixed
    learn(parts, base.device, loss_fn, settings, progress, samples, [data.instance.moments.mean, data.mixed.mean, data.prompt_ids])
