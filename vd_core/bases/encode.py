"""Pictures and prompts as a base reads them."""

import torch
from PIL import Image

from vd_core.bases import latents
from vd_core.bases.latents import Moments
from vd_core.bases.stable_diffusion import Base


def encode_pictures(base: Base, pictures: list[Image.Image]) -> Moments:
    """The moments of pictures of the base's resolution, through the base's cache if it has one."""
    return latents.encode_pictures(base.vae, pictures, base.latents_cache)


@torch.no_grad()
def embed_pictures(base: Base, pictures: list[Image.Image]) -> torch.Tensor:
    """E_I of Eq. 7: CLIP image embeddings `[n, width]`, the pictures normalized with CLIP's own mean and deviation."""
    pixels = base.image_processor(images=pictures, return_tensors="pt").pixel_values
    return base.image_encoder(pixels.to(base.device)).image_embeds


def tokenize(base: Base, prompts: list[str]) -> torch.Tensor:
    """Token ids `[n, length]`, padded to what the base's text encoder reads."""
    length = base.tokenizer.model_max_length
    ids = base.tokenizer(prompts, padding="max_length", truncation=True, max_length=length, return_tensors="pt").input_ids
    return ids.to(base.device)
