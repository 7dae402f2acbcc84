"""Checkpoints of one `.safetensors` file, of the Stable Diffusion 1.x and 2.x families, read without a hub."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import yaml
from diffusers import StableDiffusionPipeline
from safetensors import safe_open

from vd_core.bases.hub import where
from vd_core.bases.published import Name, copy_configurations
from vd_core.errors import InputError
from vd_core.files import write_json
from vd_core.settings import Part

TO_K = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
FIRST = "model.diffusion_model.input_blocks.0.0.weight"
FAMILIES: dict[int, Name] = {768: "sd15", 1024: "sd21"}
"""A family is known by the width of its text encoder."""
V_SIDE = 96
"""The latents' side of Stable Diffusion 2.x with v-prediction: 768 pixels."""


def is_single_file(part: Part) -> bool:
    """Whether a part is written as one file."""
    return part.path.endswith((".safetensors", ".ckpt", ".pt", ".bin"))


def read_single_part(part: Part, name: str, dtype: torch.dtype) -> Any:
    """One network of a checkpoint, such as "unet"; InputError if the checkpoint is of neither family."""
    others = dict.fromkeys({"text_encoder", "vae", "unet", "tokenizer", "scheduler", "safety_checker"} - {name})
    with configured(part) as folder:
        pipeline = StableDiffusionPipeline.from_single_file(
            where(part), config=str(folder), torch_dtype=dtype, local_files_only=True, **others
        )
    return getattr(pipeline, name)


def read_single_config(part: Part, name: str) -> dict[str, Any]:
    """The configuration of a checkpoint's part, such as "unet"."""
    with configured(part) as folder:
        return json.loads(next((folder / name).glob("*config.json")).read_text())


@contextmanager
def configured(part: Part) -> Iterator[Path]:
    """A temporary folder with the configurations and the tokenizer of a checkpoint's family."""
    path = Path(where(part))
    family = find_family(path)
    with TemporaryDirectory() as root:
        folder = Path(root)
        copy_configurations(family, folder)
        if family == "sd21" and predicts_v(path):
            change(folder / "unet" / "config.json", sample_size=V_SIDE)
            change(folder / "scheduler" / "scheduler_config.json", prediction_type="v_prediction")
        yield folder


def change(path: Path, **values: int | str) -> None:
    """Change values of a JSON file."""
    write_json(path, json.loads(path.read_text()) | values)


def find_family(path: Path) -> Name:
    """The family of a checkpoint, from its header alone."""
    if path.suffix != ".safetensors":
        raise InputError(f"{path} is a pickle, which may hold any code; convert it to safetensors")
    if not path.is_file():
        raise InputError(f"{path} does not exist; correct the path")
    with safe_open(path, "pt") as file:
        shapes = {key: file.get_slice(key).get_shape() for key in (TO_K, FIRST) if key in set(file.keys())}
    if len(shapes) < 2 or shapes[TO_K][1] not in FAMILIES:
        raise InputError(f"{path} is no checkpoint of Stable Diffusion 1.x or 2.x; take one, or a folder that diffusers wrote")
    if shapes[FIRST][1] != 4:
        raise InputError(f"{path} is an inpainting or depth model ({shapes[FIRST][1]} input channels); take one that draws from text alone")
    return FAMILIES[shapes[TO_K][1]]


def predicts_v(path: Path) -> bool:
    """Whether a 2.x checkpoint predicts velocity. The weights do not tell: the yaml beside them does, as in other tools."""
    beside = path.with_suffix(".yaml")
    if not beside.is_file():
        raise InputError(
            f"{beside} is missing; put Stability AI's v2-inference.yaml (512 pixels) or v2-inference-v.yaml (768) there under that name"
        )
    try:
        return yaml.safe_load(beside.read_text())["model"]["params"].get("parameterization", "eps") == "v"
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{beside} is no model configuration ({type(error).__name__}); put Stability AI's v2-inference.yaml there"
        ) from None
