"""Pictures and prompts as a base reads them, and latents as pictures again."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from PIL import Image
from torch import nn

from vd_core.bases import latents
from vd_core.bases.device import OVERFLOWS
from vd_core.bases.latents import Moments
from vd_core.bases.memory import pictures_at_once
from vd_core.bases.stable_diffusion import Base
from vd_core.errors import InputError
from vd_core.inputs.prompts import check_prompts


def encode_pictures(base: Base, pictures: list[Image.Image]) -> Moments:
    """The moments of pictures of the base's resolution, through the base's cache if it has one."""
    return latents.encode_pictures(base.vae, pictures, base.latents_cache)


@torch.no_grad()
def embed_pictures(base: Base, pictures: list[Image.Image]) -> torch.Tensor:
    """E_I of Eq. 7: CLIP image embeddings `[n, width]`, the pictures normalized with CLIP's own mean and deviation."""
    pixels = base.image_processor(images=pictures, return_tensors="pt").pixel_values
    return base.image_encoder(pixels.to(base.device, base.dtype)).image_embeds.float()


def tokenize(base: Base, prompts: list[str]) -> torch.Tensor:
    """Token ids `[n, length]`, padded to what the base's text encoder reads; InputError if a prompt is longer."""
    for prompt in dict.fromkeys(prompts):
        check_prompts({"prompt": prompt}, base.tokenizer)
    ids = base.tokenizer(prompts, padding="max_length", return_tensors="pt").input_ids
    return ids.to(base.device)


@torch.no_grad()
def embed_prompts(base: Base, prompts: list[str]) -> torch.Tensor:
    """E_T of the empty prompt, then of each of `prompts`: `[n + 1, length, width]`, encoded one by one so that none depends on the others."""
    return torch.cat([base.text_encoder(tokenize(base, [p])).last_hidden_state for p in ("", *prompts)])


@contextmanager
def aside(base: Base, network: nn.Module) -> Iterator[None]:
    """With the base's `low_vram`, `network` leaves the device within the block; the autoencoder, which works meanwhile, leaves it afterwards."""
    if not base.low_vram:
        yield
        return
    network.to("cpu")
    torch.cuda.empty_cache()
    try:
        yield
    finally:
        base.let_go("vae")
        network.to(base.device)


def require_numbers(latents: torch.Tensor, dtype: torch.dtype) -> None:
    """InputError if latents that a U-Net in `dtype` has drawn are no numbers: as pictures they would be black."""
    if not bool(torch.isfinite(latents).all()):
        cause = OVERFLOWS if dtype == torch.float16 else "what was finetuned is broken; finetune again, with a lower learning rate"
        raise InputError(f"what the U-Net has drawn is no numbers: {cause}")


@torch.no_grad()
def decode(base: Base, latents: torch.Tensor) -> torch.Tensor:
    """Latents `[b, c, h, w]` as pixel values `[b, 3, h, w]`, nearly all in [-1, 1]; as many at once as fit. InputError if they are no numbers."""
    require_numbers(latents, base.dtype)
    base.vae.decoder.to(memory_format=torch.channels_last)
    scaled = (latents.float() / base.vae.config.scaling_factor).contiguous(memory_format=torch.channels_last)
    return torch.cat([base.vae.decode(part).sample for part in scaled.split(pictures_at_once(base))])
