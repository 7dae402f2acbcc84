"""The models that are customized: from a hub, from a folder, or the embedded base. Every width is read from them."""

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDPMScheduler, MotionAdapter, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPImageProcessor, CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

from vd_core.bases.latents import LatentsCache
from vd_core.bases.noise import Noised, add_noise
from vd_core.errors import InputError
from vd_core.settings import Part, Source


@dataclass(frozen=True)
class Base:
    """A latent diffusion model and what customizing it needs. `resolution` is its pictures' side in pixels.

    `video_noise_scheduler` is the schedule of clips: motion modules are finetuned and sampled on it.
    """

    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    vae: AutoencoderKL
    unet: UNet2DConditionModel
    noise_scheduler: DDPMScheduler
    video_noise_scheduler: DDPMScheduler
    image_encoder: CLIPVisionModelWithProjection
    image_processor: CLIPImageProcessor
    motion_adapter: MotionAdapter | None
    latents_cache: LatentsCache | None = None

    @property
    def vae_scale_factor(self) -> int:
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def resolution(self) -> int:
        return self.unet.config.sample_size * self.vae_scale_factor

    @property
    def device(self) -> torch.device:
        return self.unet.device

    def add_noise(self, latents: torch.Tensor, generator: torch.Generator) -> Noised:
        """Pictures' latents `[b, c, h, w]` with noise, each at a timestep of its own."""
        return add_noise(self.noise_scheduler, latents, generator)

    def add_noise_to_clips(self, latents: torch.Tensor, generator: torch.Generator) -> Noised:
        """Clips' latents `[b, c, f, h, w]` with noise, each clip at one timestep of the motion modules' schedule."""
        return add_noise(self.video_noise_scheduler, latents, generator)

    def pipeline(self) -> StableDiffusionPipeline:
        """The same modules as a diffusers pipeline (for LoRA loading and sampling); nothing is copied."""
        pipeline = StableDiffusionPipeline(
            self.vae, self.text_encoder, self.tokenizer, self.unet, self.noise_scheduler, None, None, requires_safety_checker=False
        )
        pipeline.set_progress_bar_config(disable=True)
        return pipeline


def folder_source(folder: Path) -> Source:
    """The source that one folder is: a pipeline, with `image_encoder/` and perhaps `motion_adapter/` beside its parts."""
    motion = folder / "motion_adapter"
    adapter = Part(str(motion), None) if motion.is_dir() else None
    return Source(Part(str(folder), None), Part(str(folder / "image_encoder"), None), adapter, None)


def load_base(source: Source, device: torch.device, motion: bool = False, latents_folder: Path | None = None) -> Base:
    """Load and freeze a base; with its motion adapter if `motion`. Latents that it encodes are kept in `latents_folder`.

    Raises InputError if a part cannot be read or fetched, or if the image encoder is not as wide as the text encoder.
    """
    try:
        base = read_base(source, motion, latents_folder)
    except OSError as error:
        raise InputError(
            f"base '{source.pipeline.path}' cannot be loaded ({first_line(error)}); check the network, or give a folder"
        ) from error
    widths = base.text_encoder.config.hidden_size, base.image_encoder.config.projection_dim
    if widths[0] != widths[1]:
        raise InputError(
            f"base '{source.pipeline.path}' has a text encoder of width {widths[0]} and an image encoder of width {widths[1]}; they must match"
        )
    for module in (base.text_encoder, base.vae, base.unet, base.image_encoder, base.motion_adapter):
        if module is not None:
            module.to(device).requires_grad_(False).eval()
    return base


def read_base(source: Source, motion: bool, latents_folder: Path | None = None) -> Base:
    """The parts of `source`, in float32, safetensors only."""
    pipeline, encoder, adapter = source.pipeline, source.image_encoder, source.motion_adapter if motion else None
    part = {"use_safetensors": True, "revision": pipeline.revision}
    noise_scheduler = DDPMScheduler.from_pretrained(pipeline.path, subfolder="scheduler", revision=pipeline.revision)
    video_schedule = {"beta_schedule": source.video_beta_schedule} if source.video_beta_schedule else {}
    vae = AutoencoderKL.from_pretrained(pipeline.path, subfolder="vae", torch_dtype=torch.float32, **part)
    return Base(
        tokenizer=CLIPTokenizer.from_pretrained(pipeline.path, subfolder="tokenizer", revision=pipeline.revision),
        text_encoder=CLIPTextModel.from_pretrained(pipeline.path, subfolder="text_encoder", dtype=torch.float32, **part),
        vae=vae,
        unet=UNet2DConditionModel.from_pretrained(pipeline.path, subfolder="unet", torch_dtype=torch.float32, **part),
        noise_scheduler=noise_scheduler,
        video_noise_scheduler=DDPMScheduler.from_config(noise_scheduler.config, **video_schedule),
        image_encoder=CLIPVisionModelWithProjection.from_pretrained(
            encoder.path, dtype=torch.float32, use_safetensors=True, revision=encoder.revision
        ),
        image_processor=CLIPImageProcessor.from_pretrained(encoder.path, revision=encoder.revision),
        motion_adapter=(
            MotionAdapter.from_pretrained(adapter.path, torch_dtype=torch.float32, use_safetensors=True, revision=adapter.revision)
            if adapter
            else None
        ),
        latents_cache=LatentsCache(latents_folder, vae) if latents_folder else None,
    )


def first_line(error: Exception) -> str:
    """The first line of an error's message."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def choose_device(name: str) -> torch.device:
    """ "auto", "cpu" or "cuda" as a device; InputError if there is no GPU where one is asked for."""
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device is cuda, but torch sees no GPU; set it to auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def read_resolution(source: Source) -> int:
    """The side in pixels of a base's pictures, from its configuration alone."""
    pipeline = source.pipeline
    try:
        unet = UNet2DConditionModel.load_config(pipeline.path, subfolder="unet", revision=pipeline.revision)
        vae = AutoencoderKL.load_config(pipeline.path, subfolder="vae", revision=pipeline.revision)
    except OSError as error:
        raise InputError(f"base '{pipeline.path}' cannot be read ({first_line(error)}); check the network, or give a folder") from error
    return unet["sample_size"] * 2 ** (len(vae["block_out_channels"]) - 1)
