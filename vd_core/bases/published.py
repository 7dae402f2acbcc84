"""The published bases as this project reads them: their configurations, CLIP's vocabulary, and folders of their shape with random weights.

The configurations are those of stable-diffusion-v1-5, AnimateDiff's motion adapter v1-5-2 and CLIP ViT-L/14 (`sd15`), and of
Stable Diffusion 2.1 base and CLIP ViT-H/14 (`sd21`), written from what is publicly said of them: the files themselves were not fetched.
"""

import gzip
import json
import shutil
from pathlib import Path
from typing import Literal

import open_clip
import torch
from diffusers import AutoencoderKL, MotionAdapter, UNet2DConditionModel
from open_clip.tokenizer import bytes_to_unicode
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModelWithProjection

from vd_core.files import write_text

Name = Literal["sd15", "sd21"]
CONFIGS = Path(__file__).parent / "configs"
DIFFUSERS = {"unet": UNet2DConditionModel, "vae": AutoencoderKL, "motion_adapter": MotionAdapter}
TRANSFORMERS = {"text_encoder": (CLIPTextModel, CLIPTextConfig), "image_encoder": (CLIPVisionModelWithProjection, CLIPVisionConfig)}
NUM_MERGES = 49152 - 256 - 2
"""Of CLIP: its vocabulary is 2 x 256 letters, the merges and two marks, 49408 tokens."""


def build_published(name: Name, folder: Path, sample_size: int = 64) -> None:
    """Write a base of the published shape with random float32 weights: a pipeline's folder, with `image_encoder/` and perhaps `motion_adapter/`.

    `sample_size` is the latents' side: 64 is 512 pixels; 8 is 64 pixels with all widths as published. The parts are built one after another.
    """
    copy_configurations(name, folder)
    for part in published_parts(name):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # the libraries' initializations take no generator
            build_part(name, part, sample_size).save_pretrained(folder / part)


def copy_configurations(name: Name, folder: Path) -> None:
    """Write a published base's configurations and its whole tokenizer into `folder`."""
    shutil.copytree(CONFIGS / name, folder, dirs_exist_ok=True)
    write_vocabulary(folder / "tokenizer")


def published_parts(name: Name) -> list[str]:
    """The parts of a published base that have weights."""
    return [part for part in (*TRANSFORMERS, *DIFFUSERS) if (CONFIGS / name / part).is_dir()]


def build_part(name: Name, part: str, sample_size: int = 64) -> nn.Module:
    """One untrained model of a published base, on torch's default device and in its default dtype."""
    config = json.loads((CONFIGS / name / part / "config.json").read_text())
    if part in TRANSFORMERS:
        model, configuration = TRANSFORMERS[part]
        return model(configuration(**config))
    sizes = {"unet": {"sample_size": sample_size}, "vae": {"sample_size": sample_size * 2 ** (len(config["block_out_channels"]) - 1)}}
    return DIFFUSERS[part].from_config(config, **sizes.get(part, {}))


def write_vocabulary(folder: Path) -> None:
    """Write CLIP's `vocab.json` and `merges.txt`, from the merges that open_clip's wheel ships."""
    folder.mkdir(parents=True, exist_ok=True)
    shipped = gzip.decompress((Path(open_clip.__file__).parent / "bpe_simple_vocab_16e6.txt.gz").read_bytes()).decode()
    merges = shipped.split("\n")[1 : NUM_MERGES + 1]
    letters = list(bytes_to_unicode().values())
    words = [
        *letters,
        *(f"{letter}</w>" for letter in letters),
        *("".join(merge.split()) for merge in merges),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    write_text(folder / "vocab.json", json.dumps({word: i for i, word in enumerate(words)}, ensure_ascii=False))
    write_text(folder / "merges.txt", "\n".join(["#version: 0.2", *merges]) + "\n")
