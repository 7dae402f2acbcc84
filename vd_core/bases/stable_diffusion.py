"""The models that are customized: from a hub, from a folder, or the embedded base. Every width is read from them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from accelerate.utils import release_memory
from diffusers import AutoencoderKL, DDPMScheduler, MotionAdapter, StableDiffusionPipeline, UNet2DConditionModel
from huggingface_hub import hf_hub_download
from torch import nn
from transformers import (
    AutoConfig,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from vd_core.bases.casting import cast_weights
from vd_core.bases.hub import loading, where
from vd_core.bases.latents import LatentsCache
from vd_core.bases.noise import Noised, add_noise
from vd_core.bases.single_file import configured, is_single_file, read_single_config, read_single_part
from vd_core.errors import InputError
from vd_core.settings import Part, Source

M = TypeVar("M", bound=nn.Module)
WEIGHTS = {"text_encoder": "model.safetensors", "vae": "diffusion_pytorch_model.safetensors", "unet": "diffusion_pytorch_model.safetensors"}


@dataclass
class Base:
    """A latent diffusion model and what customizing it needs: each of its networks is read when it is first used, and can be let go.

    `dtype` is that of its frozen weights, and what trainings compute in; the autoencoder alone stays in float32, since 16 bits show in its
    pictures. `latent_shape` is a picture's, (c, h, w), and `map_size` the elements of its widest map in the U-Net. `video_noise_scheduler` is the
    schedule of clips: motion modules are finetuned and sampled on it. Latents that it encodes are kept in `latents_folder`, if there is one.
    With `low_vram` a U-Net leaves the device while the autoencoder decodes its clips.
    """

    source: Source
    device: torch.device
    dtype: torch.dtype
    tokenizer: CLIPTokenizer
    noise_scheduler: DDPMScheduler
    video_noise_scheduler: DDPMScheduler
    image_processor: CLIPImageProcessor
    latent_shape: tuple[int, int, int]
    map_size: int
    vae_scale_factor: int
    latents_folder: Path | None
    low_vram: bool = False

    @cached_property
    def text_encoder(self) -> CLIPTextModel:
        return self.read_part("text_encoder", CLIPTextModel.from_pretrained, dtype=self.dtype)

    @cached_property
    def vae(self) -> AutoencoderKL:
        return self.read_part("vae", AutoencoderKL.from_pretrained, torch_dtype=torch.float32)

    @cached_property
    def unet(self) -> UNet2DConditionModel:
        unet = self.read_part("unet", UNet2DConditionModel.from_pretrained, torch_dtype=self.read_dtype)
        return cast_weights(unet, self.dtype)

    @cached_property
    def image_encoder(self) -> CLIPVisionModelWithProjection:
        part = self.source.image_encoder
        return self.read(CLIPVisionModelWithProjection.from_pretrained, part, dtype=self.dtype, config=read_vision_config(part))

    @cached_property
    def motion_adapter(self) -> MotionAdapter | None:
        adapter = self.source.motion_adapter
        return cast_weights(self.read(MotionAdapter.from_pretrained, adapter, torch_dtype=self.read_dtype), self.dtype) if adapter else None

    @property
    def read_dtype(self) -> torch.dtype:
        """What large networks are read in: on a CPU as published weights are, so that they are mapped, and cast afterwards."""
        return torch.float32 if self.device.type == "cpu" else self.dtype

    @cached_property
    def latents_cache(self) -> LatentsCache | None:
        return LatentsCache(self.latents_folder, self.vae) if self.latents_folder else None

    def read_part(self, name: str, from_pretrained: Callable[..., M], **options: Any) -> M:
        """One network of the pipeline, from its folder or out of its single file."""
        part = self.source.pipeline
        if not is_single_file(part):
            return self.read(from_pretrained, part, subfolder=name, **options)
        with loading("base", part):
            module = read_single_part(part, name, *options.values())
        return module.to(self.device).requires_grad_(False).eval()

    def read(self, from_pretrained: Callable[..., M], part: Part, **options: Any) -> M:
        """One network, frozen, on the device; InputError if it cannot be read or fetched."""
        with loading("base", part):
            module = from_pretrained(where(part), use_safetensors=True, revision=part.revision, **options)
        return module.to(self.device).requires_grad_(False).eval()

    def let_go(self, *parts: str) -> None:
        """Free the memory of networks that have done their work. They are read again, as they were at first, when they are used again."""
        for part in parts:
            self.__dict__.pop(part, None)
        if "vae" in parts:
            self.__dict__.pop("latents_cache", None)
        release_memory()

    @property
    def resolution(self) -> int:
        """A side of its pictures in pixels."""
        return self.latent_shape[-1] * self.vae_scale_factor

    def add_noise(self, latents: torch.Tensor, generator: torch.Generator) -> Noised:
        """Pictures' latents `[b, c, h, w]` with noise, each at a timestep of its own."""
        return add_noise(self.noise_scheduler, latents, generator)

    def add_noise_to_clips(self, latents: torch.Tensor, generator: torch.Generator, least: float = 0.0) -> Noised:
        """Clips' latents `[b, c, f, h, w]` with noise, each clip at one timestep of the motion modules' schedule, beyond the first `least` of them."""
        return add_noise(self.video_noise_scheduler, latents, generator, least)

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
    with loading("base", pipeline):
        text_width = read_config(pipeline, "text_encoder")["hidden_size"]
        noise_scheduler = DDPMScheduler.from_config(read_config(pipeline, "scheduler"))
        latent_shape, map_size, vae_scale_factor = read_sizes(source)
        tokenizer = read_tokenizer(pipeline)
        find_weights(pipeline)
    with loading("image encoder", encoder):
        image_width = read_vision_config(encoder).projection_dim
        image_processor = CLIPImageProcessor.from_pretrained(where(encoder), revision=encoder.revision)
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
        map_size,
        vae_scale_factor,
        latents_folder,
    )


def read_vision_config(part: Part) -> CLIPVisionConfig:
    """An image encoder's configuration; a whole CLIP's says the projection's width at its top, and LAION's say it nowhere else."""
    with loading("image encoder", part):
        whole = AutoConfig.from_pretrained(where(part), revision=part.revision)
    if not isinstance(whole, CLIPConfig):
        return whole
    vision = cast(CLIPVisionConfig, whole.vision_config)
    vision.projection_dim = whole.projection_dim
    return vision


def read_config(part: Part, name: str) -> dict[str, Any]:
    """The configuration of a pipeline's part, such as "unet"."""
    if is_single_file(part):
        return read_single_config(part, name)
    kind = {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "scheduler": DDPMScheduler, "text_encoder": CLIPTextConfig}[name]
    if kind is CLIPTextConfig:
        return CLIPTextConfig.from_pretrained(where(part), subfolder=name, revision=part.revision).to_dict()
    return kind.load_config(where(part), subfolder=name, revision=part.revision)


def read_sizes(source: Source) -> tuple[tuple[int, int, int], int, int]:
    """The shape (c, h, w) of a picture's latents, the size of its widest map, and the pixels of a latent's side, from the configurations alone."""
    unet, vae = read_config(source.pipeline, "unet"), read_config(source.pipeline, "vae")
    side, width = unet["sample_size"], unet["block_out_channels"][0]
    return (unet["in_channels"], side, side), side * side * width, 2 ** (len(vae["block_out_channels"]) - 1)


def find_weights(part: Part) -> None:
    """See that a pipeline's weights are there, fetched if they are not: the networks themselves are read later, when something has been computed."""
    if is_single_file(part):
        return
    folder = Path(where(part))
    for name, file in WEIGHTS.items():
        if not folder.is_dir():
            hf_hub_download(part.path, file, subfolder=name, revision=part.revision)
        elif not any((folder / name).glob("*.safetensors")):
            raise InputError(f"base '{part.path}' has no {name}/{file}; pickles are not read: save it as safetensors")


def read_tokenizer(part: Part) -> CLIPTokenizer:
    """A base's tokenizer alone, for what can be told before the models are loaded."""
    with loading("tokenizer of base", part):
        if is_single_file(part):
            with configured(part) as folder:
                return CLIPTokenizer.from_pretrained(folder / "tokenizer")
        tokenizer = CLIPTokenizer.from_pretrained(where(part), subfolder="tokenizer", revision=part.revision)
    return check_vocabulary(tokenizer, part)


def check_vocabulary(tokenizer: CLIPTokenizer, part: Part) -> CLIPTokenizer:
    """The same tokenizer; InputError if it has no words: transformers gives an empty one where it finds no files."""
    if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):
        raise InputError(
            f"base '{part.path}' has no tokenizer here; check the network (is HF_HUB_OFFLINE set?), or give a folder with tokenizer/"
        )
    return tokenizer


def read_resolution(source: Source) -> int:
    """The side in pixels of a base's pictures, from its configuration alone."""
    with loading("base", source.pipeline):
        latent_shape, _, vae_scale_factor = read_sizes(source)
    return latent_shape[-1] * vae_scale_factor
