"""Training steps to be timed against each other: ours, the equations taken literally, and the step of diffusers' DreamBooth LoRA example."""

from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import dataclass, replace
from functools import partial

import torch
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image
from torch import nn

from vd_core.bases.attention import uses_plain_attention
from vd_core.bases.encode import embed_pictures
from vd_core.bases.noise import add_noise_at
from vd_core.bases.stable_diffusion import Base
from vd_core.customisation.lora import add_lora
from vd_core.customisation.visual_adapter import VisualAdapter
from vd_core.inputs.pictures import to_pixel_values
from vd_core.inputs.prompts import extended_prompt
from vd_core.inputs.subjects import Subject
from vd_core.methods.disen_mix import train_step
from vd_core.settings import DisenMix
from vd_core.training.data import FinetuningData, Labelled, build_data, draw_batch, encode_labelled
from vd_core.training.losses import denoising_loss, separate_loss
from vd_core.training.step import named_trainable, predict

PER_SUBJECT, MIXED, WEAK_DENOISING = 2, 4, 0.5
OWN = DisenMix(WEAK_DENOISING, stitch_prompt=True, visual_embedding=True, prior_preservation=False, regions=False, repeat=False)
LossOf = Callable[..., torch.Tensor]


@dataclass(frozen=True)
class Bench:
    """A base with an untrained LoRA and visual adapter, and its pictures: as such, and encoded."""

    base: Base
    visual_adapter: VisualAdapter
    pictures: list[list[Image.Image]]
    mixed: list[Image.Image]
    data: FinetuningData

    @property
    def parts(self) -> dict[str, nn.Module]:
        """What learns."""
        return {"unet": self.base.unet, "text_encoder": self.base.text_encoder, "visual_adapter": self.visual_adapter}


def build_bench(
    base: Base,
    subjects: list[Subject],
    pictures: list[list[Image.Image]],
    mixed: list[Image.Image],
    lora_rank: int,
    lora_targets: str = "attention",
) -> Bench:
    """Everything that the steps need."""
    data = build_data(base, pictures, mixed, [s.instance_prompt for s in subjects], extended_prompt(subjects))
    add_lora(base, lora_rank, 0, lora_targets)
    torch.manual_seed(0)
    return Bench(base, VisualAdapter(base.text_encoder.config.hidden_size).to(base.device), pictures, mixed, data)


def compiled(bench: Bench) -> Bench:
    """The same base, parameters and pictures, U-Net and text encoder compiled as `finetune.compile` compiles them."""
    base = bench.base
    compiled_base = copy(base)
    compiled_base.unet, compiled_base.text_encoder = (torch.compile(m, dynamic=False) for m in (base.unet, base.text_encoder))
    return replace(bench, base=compiled_base)


def as_we_train(bench: Bench) -> Bench:
    """A copy that attends as our trainer lets it."""
    own = deepcopy(bench)
    if uses_plain_attention(own.base.unet, own.base.device):
        own.base.unet.set_attn_processor(AttnProcessor())
    return own


def as_the_example_trains(bench: Bench, dtype: torch.dtype) -> Bench:
    """A copy whose models are cast to the precision of training, LoRA too, as diffusers' example casts them."""
    own = deepcopy(bench)
    for module in (own.base.unet, own.base.text_encoder, own.base.vae):
        module.to(dtype)
    return own


def our_loss(bench: Bench, generator: torch.Generator) -> torch.Tensor:
    """Eqs. 5 to 10 as we train: cached moments and image embeddings, one batched U-Net call."""
    batch = draw_batch(bench.data, generator, PER_SUBJECT, MIXED)
    return train_step(bench.base, bench.parts, batch, generator, OWN)["loss"]


def literal_loss(bench: Bench, generator: torch.Generator) -> torch.Tensor:
    """Eqs. 5 to 10 as they are written: autoencoder and image encoder every step, three U-Net calls, the text encoded for each."""
    base, data = bench.base, bench.data
    own = [p for pictures in bench.pictures for p in pictures]
    chosen = data.instance.choose(PER_SUBJECT, generator)
    latents = encode(base, [own[i] for i in chosen], generator)
    mixed_ids = torch.randint(len(bench.mixed), (MIXED,), generator=generator)
    mixed = [bench.mixed[i] for i in mixed_ids]
    mixed_latents = encode(base, mixed, generator)
    with torch.no_grad():
        image_embeds = embed_pictures(base, mixed)
    s = len(chosen)
    noise = torch.randn((s + MIXED, *latents.shape[1:]), generator=generator).to(latents)
    timesteps = torch.randint(0, base.noise_scheduler.config.num_train_timesteps, (s + MIXED,), generator=generator).to(latents.device)

    def denoise(z: torch.Tensor, part: slice, encoder_hidden_states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        noised = add_noise_at(base.noise_scheduler, z, noise[part], timesteps[part])
        return base.unet(noised.latents, noised.timesteps, encoder_hidden_states).sample, noised.target

    instance, others = slice(0, s), slice(s, None)
    prompt_embeds = base.text_encoder(data.prompt_ids[data.instance.subject_ids[chosen]]).last_hidden_state
    separate = separate_loss(*denoise(latents, instance, prompt_embeds), data.instance.subject_ids[chosen])  # Eq. 5
    extended = base.text_encoder(data.prompt_ids[-1:].expand(MIXED, -1)).last_hidden_state
    visual = bench.visual_adapter(image_embeds)[:, None]  # Eq. 7
    disentangled = denoising_loss(*denoise(mixed_latents, others, extended + visual)).mean()  # Eq. 8
    again = base.text_encoder(data.prompt_ids[-1:].expand(MIXED, -1)).last_hidden_state
    weak = WEAK_DENOISING * denoising_loss(*denoise(mixed_latents, others, again)).mean()  # Eq. 9
    return separate + disentangled + weak  # Eq. 10


def our_dreambooth_loss(bench: Bench, own: Labelled, generator: torch.Generator) -> torch.Tensor:
    """DreamBooth on cached moments."""
    latents, ids = own.draw(PER_SUBJECT, generator)
    encoder_hidden_states = bench.base.text_encoder(bench.data.prompt_ids[:-1]).last_hidden_state[ids]
    model_pred, target = predict(bench.base, bench.base.unet, latents, encoder_hidden_states, generator)
    return denoising_loss(model_pred, target).mean()


def example_dreambooth_loss(bench: Bench, own: Labelled, generator: torch.Generator) -> torch.Tensor:
    """The same as diffusers' train_dreambooth_lora.py does it every step: pixels, autoencoder, text of every sample, noise, U-Net, loss."""
    base = bench.base
    pictures = [p for pictures in bench.pictures for p in pictures]
    chosen = own.choose(PER_SUBJECT, generator)
    latents = encode(base, [pictures[i] for i in chosen], generator)
    encoder_hidden_states = base.text_encoder(bench.data.prompt_ids[own.subject_ids[chosen]]).last_hidden_state
    model_pred, target = predict(base, base.unet, latents, encoder_hidden_states, generator)
    return nn.functional.mse_loss(model_pred.float(), target.float())


def encode(base: Base, pictures: list[Image.Image], generator: torch.Generator) -> torch.Tensor:
    """Pixels to sampled latents, from the start."""
    with torch.no_grad():
        posterior = base.vae.encode(to_pixel_values(pictures).to(base.device, base.vae.dtype)).latent_dist
    noise = torch.randn(posterior.mean.shape, generator=generator).to(posterior.mean)
    return (posterior.mean + posterior.std * noise) * base.vae.config.scaling_factor


@dataclass(frozen=True)
class Version:
    """One way to take a step: its losses, what learns by them, and whether AdamW is fused, as in our trainer."""

    bench: Bench
    loss_of: LossOf
    fused: bool

    def loss(self, generator: torch.Generator) -> torch.Tensor:
        """The loss of one batch, a scalar."""
        return self.loss_of(self.bench, generator=generator)


FIGURES = ("train_vs_literal", "train_vs_diffusers")


def versions_of(bench: Bench, figure: str, dtype: torch.dtype) -> dict[str, Version]:
    """Ours and the peer's, each as it is and compiled."""
    ours = as_we_train(bench)
    if figure == "train_vs_literal":
        own_loss, peer, peer_loss = our_loss, bench, literal_loss
    else:
        own = encode_labelled(bench.base, bench.pictures)
        own_loss, peer_loss = partial(our_dreambooth_loss, own=own), partial(example_dreambooth_loss, own=own)
        peer = as_the_example_trains(bench, dtype)
    return {
        "ours": Version(ours, own_loss, True),
        "ours_compiled": Version(compiled(ours), own_loss, True),
        "peer": Version(peer, peer_loss, False),
        "peer_compiled": Version(compiled(peer), peer_loss, False),
    }


class Stepper:
    """Takes optimizer steps with one version; gradients clipped, AdamW."""

    def __init__(self, version: Version, dtype: torch.dtype):
        self.version, self.device, self.dtype = version, version.bench.base.device.type, dtype
        self.parameters = list(named_trainable(version.bench.parts).values())
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-6, fused=version.fused)

    def step(self, seed: int) -> None:
        """One step."""
        with torch.autocast(self.device, self.dtype, enabled=self.dtype != torch.float32):
            loss = self.version.loss(torch.Generator().manual_seed(seed))
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.device == "cuda":
            torch.cuda.synchronize()
