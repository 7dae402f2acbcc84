"""The models that are customized: from a hub, from a folder, or the embedded base. Every width is read from them."""

import gc
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from diffusers import AutoencoderKL, DDPMScheduler, MotionAdapter, StableDiffusionPipeline, UNet2DConditionModel
from torch import nn
from transformers import CLIPImageProcessor, CLIPTextConfig, CLIPTextModel, CLIPTokenizer, CLIPVisionConfig, CLIPVisionModelWithProjection

from vd_core.bases.latents import LatentsCache
from vd_core.bases.noise import Noised, add_noise
from vd_core.errors import InputError
from vd_core.settings import Part, Precision, Source

M = TypeVar("M", bound=nn.Module)


@dataclass
class Base:
    """A latent diffusion model and what customizing it needs: each of its networks is read when it is first used, and can be let go.

    `dtype` is that of its frozen weights, and what trainings compute in; the autoencoder alone stays in float32, since 16 bits show in its
    pictures. `latent_shape` is a picture's, (c, h, w). `video_noise_scheduler` is the schedule of clips: motion modules are finetuned and sampled
    on it. Latents that it encodes are kept in `latents_folder`, if there is one.
    """

    source: Source
    device: torch.device
    dtype: torch.dtype
    tokenizer: CLIPTokenizer
    noise_scheduler: DDPMScheduler
    video_noise_scheduler: DDPMScheduler
    image_processor: CLIPImageProcessor
    latent_shape: tuple[int, int, int]
    vae_scale_factor: int
    latents_folder: Path | None

    @cached_property
    def text_encoder(self) -> CLIPTextModel:
        return self.read(CLIPTextModel.from_pretrained, self.source.pipeline, subfolder="text_encoder", dtype=self.dtype)

    @cached_property
    def vae(self) -> AutoencoderKL:
        return self.read(AutoencoderKL.from_pretrained, self.source.pipeline, subfolder="vae", torch_dtype=torch.float32)

    @cached_property
    def unet(self) -> UNet2DConditionModel:
        return self.read(UNet2DConditionModel.from_pretrained, self.source.pipeline, subfolder="unet", torch_dtype=self.dtype)

    @cached_property
    def image_encoder(self) -> CLIPVisionModelWithProjection:
        return self.read(CLIPVisionModelWithProjection.from_pretrained, self.source.image_encoder, dtype=self.dtype)

    @cached_property
    def motion_adapter(self) -> MotionAdapter | None:
        adapter = self.source.motion_adapter
        return self.read(MotionAdapter.from_pretrained, adapter, torch_dtype=self.dtype) if adapter else None

    @cached_property
    def latents_cache(self) -> LatentsCache | None:
        return LatentsCache(self.latents_folder, self.vae) if self.latents_folder else None

    def read(self, from_pretrained: Callable[..., M], part: Part, **options: Any) -> M:
        """One network, frozen, on the device; InputError if it cannot be read or fetched."""
        try:
            module = from_pretrained(part.path, use_safetensors=True, revision=part.revision, **options)
        except OSError as error:
            raise unreadable(self.source, error) from error
        return module.to(self.device).requires_grad_(False).eval()

    def let_go(self, *parts: str) -> None:
        """Free the memory of networks that have done their work. They are read again, as they were at first, when they are used again."""
        for part in parts:
            self.__dict__.pop(part, None)
        if "vae" in parts:
            self.__dict__.pop("latents_cache", None)
        gc.collect()
        torch.cuda.empty_cache()

    @property
    def resolution(self) -> int:
        """A side of its pictures in pixels."""
        return self.latent_shape[-1] * self.vae_scale_factor

    def add_noise(self, latents: torch.Tensor, generator: torch.Generator) -> Noised:
        """Pictures' latents `[b, c, h, w]` with noise, each at a timestep of its own."""
        return add_noise(self.noise_scheduler, latents, generator)

    def add_noise_to_clips(self, latents: torch.Tensor, generator: torch.Generator) -> Noised:
        """Clips' latents `[b, c, f, h, w]` with noise, each clip at one timestep of the motion modules' schedule."""
        return add_noise(self.video_noise_scheduler, latents, generator)

    def pipeline(self, decodes: bool = True) -> StableDiffusionPipeline:
        """The same modules as a diffusers pipeline (for LoRA loading, and sampling if it `decodes`); nothing is copied."""
        vae = self.vae if decodes else None
        pipeline = StableDiffusionPipeline(
            vae, self.text_encoder, self.tokenizer, self.unet, self.noise_scheduler, None, None, requires_safety_checker=False
        )
        pipeline.set_progress_bar_config(disable=True)
        return pipeline


def folder_source(folder: Path) -> Source:
    """The source that one folder is: a pipeline, with `image_encoder/` and perhaps `motion_adapter/` beside its parts."""
    motion = folder / "motion_adapter"
    adapter = Part(str(motion), None) if motion.is_dir() else None
    return Source(Part(str(folder), None), Part(str(folder / "image_encoder"), None), adapter, None)


def load_base(source: Source, device: torch.device, latents_folder: Path | None = None, dtype: torch.dtype = torch.float32) -> Base:
    """A base whose networks are still to be read: its tokenizer, schedules and sizes.

    Raises InputError if these cannot be read or fetched, or if the image encoder is not as wide as the text encoder.
    """
    pipeline, encoder = source.pipeline, source.image_encoder
    part = {"revision": pipeline.revision}
    try:
        text_width = CLIPTextConfig.from_pretrained(pipeline.path, subfolder="text_encoder", **part).hidden_size
        image_width = CLIPVisionConfig.from_pretrained(encoder.path, revision=encoder.revision).projection_dim
        noise_scheduler = DDPMScheduler.from_pretrained(pipeline.path, subfolder="scheduler", **part)
        tokenizer = CLIPTokenizer.from_pretrained(pipeline.path, subfolder="tokenizer", **part)
        image_processor = CLIPImageProcessor.from_pretrained(encoder.path, revision=encoder.revision)
        latent_shape, vae_scale_factor = read_sizes(source)
    except OSError as error:
        raise unreadable(source, error) from error
    if text_width != image_width:
        raise InputError(
            f"base '{pipeline.path}' has a text encoder of width {text_width} and an image encoder of width {image_width}; they must match"
        )
    video_schedule = {"beta_schedule": source.video_beta_schedule} if source.video_beta_schedule else {}
    video_noise_scheduler = DDPMScheduler.from_config(noise_scheduler.config, **video_schedule)
    return Base(
        source,
        device,
        dtype,
        tokenizer,
        noise_scheduler,
        video_noise_scheduler,
        image_processor,
        latent_shape,
        vae_scale_factor,
        latents_folder,
    )


def read_sizes(source: Source) -> tuple[tuple[int, int, int], int]:
    """The shape (c, h, w) of a picture's latents, and how many pixels a side of one has, from the configurations alone; OSError if they cannot be read."""
    pipeline = source.pipeline
    unet = UNet2DConditionModel.load_config(pipeline.path, subfolder="unet", revision=pipeline.revision)
    vae = AutoencoderKL.load_config(pipeline.path, subfolder="vae", revision=pipeline.revision)
    return (unet["in_channels"], unet["sample_size"], unet["sample_size"]), 2 ** (len(vae["block_out_channels"]) - 1)


def unreadable(source: Source, error: OSError) -> InputError:
    """What to say of a base that cannot be loaded."""
    return InputError(f"base '{source.pipeline.path}' cannot be loaded ({first_line(error)}); check the network, or give a folder")


def first_line(error: Exception) -> str:
    """The first line of an error's message."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def choose_device(name: str) -> torch.device:
    """ "auto", "cpu" or "cuda" as a device; InputError if there is no GPU where one is asked for."""
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device is cuda, but torch sees no GPU; set it to auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def choose_dtype(wanted: Precision, device: torch.device) -> torch.dtype:
    """The precision of frozen weights and trainings: "auto" is bfloat16 where the device has it, else float16 on a GPU and float32 on a CPU."""
    if wanted != "auto":
        return {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[wanted]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else torch.float32


def read_resolution(source: Source) -> int:
    """The side in pixels of a base's pictures, from its configuration alone."""
    try:
        latent_shape, vae_scale_factor = read_sizes(source)
    except OSError as error:
        raise unreadable(source, error) from error
    return latent_shape[-1] * vae_scale_factor
