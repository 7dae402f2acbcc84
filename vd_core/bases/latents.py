"""Pictures as latents: mean and deviation (sampled at use), kept on disk under the picture's own content."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from PIL import Image
from safetensors.torch import load_file, save_file

from vd_core.files import fingerprint_of, replacing
from vd_core.inputs.pictures import to_pixel_values


@dataclass(frozen=True)
class Moments:
    """The VAE posterior of some pictures: scaled `mean` and `std`, `[n, c, h, w]` each."""

    mean: torch.Tensor
    std: torch.Tensor

    def sample(self, indices: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Fresh latents of the pictures `indices` `[b]`, `[b, c, h, w]`."""
        mean, std = self.mean[indices], self.std[indices]
        return mean + std * torch.randn(mean.shape, generator=generator).to(mean)


@dataclass
class LatentsCache:
    """Moments under the hash of a picture's pixels and of the autoencoder: an edited picture or another base is never taken for the old one."""

    folder: Path
    vae: AutoencoderKL

    @cached_property
    def vae_fingerprint(self) -> str:
        """Changes with the autoencoder's weights and its scaling."""
        return fingerprint_of({"scaling_factor": self.vae.config.scaling_factor}, self.vae.state_dict().values())

    def find(self, picture: Image.Image) -> Path:
        """The file of a picture's moments, there or not yet."""
        content = self.vae_fingerprint.encode() + repr((picture.mode, picture.size)).encode() + picture.tobytes()
        return self.folder / f"{hashlib.sha256(content).hexdigest()}.safetensors"

    def encode(self, picture: Image.Image) -> dict[str, torch.Tensor]:
        """`mean` and `std` `[1, c, h, w]` of a picture, read, or computed and kept."""
        path = self.find(picture)
        if path.exists():
            moments = load_file(path)  # not for a device: "cuda" is safetensors' first GPU, in every process
            return {name: tensor.to(self.vae.device) for name, tensor in moments.items()}
        moments = encode_picture(self.vae, picture)
        with replacing(path) as aside:
            save_file(moments, aside)
        return moments


@torch.no_grad()
def encode_picture(vae: AutoencoderKL, picture: Image.Image) -> dict[str, torch.Tensor]:
    """Scaled `mean` and `std` `[1, c, h, w]`. One picture at a time: what stands beside it in a batch would change its last bits."""
    posterior = vae.encode(to_pixel_values([picture]).to(vae.device)).latent_dist
    scale = vae.config.scaling_factor
    return {"mean": (posterior.mean * scale).contiguous(), "std": (posterior.std * scale).contiguous()}


def encode_pictures(vae: AutoencoderKL, pictures: list[Image.Image], cache: LatentsCache | None) -> Moments:
    """The moments of pictures of the base's resolution, through `cache` if there is one."""
    found = [cache.encode(p) if cache else encode_picture(vae, p) for p in pictures]
    return Moments(torch.cat([f["mean"] for f in found]), torch.cat([f["std"] for f in found]))
