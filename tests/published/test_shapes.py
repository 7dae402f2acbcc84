"""The published bases' shapes, built without memory, and what the code reads off them."""

import json

import pytest
import torch
from diffusers import UNetMotionModel
from diffusers.loaders import single_file_utils

from vd_core.bases.published import CONFIGS, Name, build_part, published_parts
from vd_core.bases.stable_diffusion import folder_source, read_resolution
from vd_core.customisation.visual_adapter import VisualAdapter

PARAMETERS = {
    ("sd15", "text_encoder"): 123_060_480,
    ("sd15", "image_encoder"): 303_966_208,
    ("sd15", "unet"): 859_520_964,
    ("sd15", "vae"): 83_653_863,
    ("sd15", "motion_adapter"): 453_209_280,
    ("sd21", "text_encoder"): 340_387_840,
    ("sd21", "image_encoder"): 632_076_800,
    ("sd21", "unet"): 865_910_724,
    ("sd21", "vae"): 83_653_863,
}
"""The U-Nets' and the motion modules' are published figures. The others were counted from the configurations, and hold them as they are."""
SHAPES = {
    ("sd15", "unet", "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"): (320, 768),
    ("sd15", "unet", "down_blocks.0.attentions.0.proj_in.weight"): (320, 320, 1, 1),
    ("sd15", "unet", "conv_in.weight"): (320, 4, 3, 3),
    ("sd21", "unet", "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k.weight"): (320, 1024),
    ("sd21", "unet", "down_blocks.0.attentions.0.proj_in.weight"): (320, 320),
    ("sd15", "text_encoder", "embeddings.token_embedding.weight"): (49408, 768),
    ("sd21", "text_encoder", "embeddings.token_embedding.weight"): (49408, 1024),
    ("sd15", "image_encoder", "visual_projection.weight"): (768, 1024),
    ("sd21", "image_encoder", "visual_projection.weight"): (1024, 1280),
    ("sd15", "motion_adapter", "mid_block.motion_modules.0.transformer_blocks.0.attn1.to_q.weight"): (1280, 1280),
}
NAMES: list[Name] = ["sd15", "sd21"]


def build(name: Name, part: str) -> torch.nn.Module:
    with torch.device("meta"):
        return build_part(name, part)


def test_every_part_has_the_published_number_of_parameters() -> None:
    counted = {(n, p): sum(w.numel() for w in build(n, p).parameters()) for n in NAMES for p in published_parts(n)}
    assert counted == PARAMETERS


def test_weights_have_the_published_names_and_shapes() -> None:
    states = {(n, p): build(n, p).state_dict() for n, p, _ in SHAPES}
    assert {key: tuple(states[key[:2]][key[2]].shape) for key in SHAPES} == SHAPES


@pytest.mark.parametrize("name", NAMES)
def test_the_autoencoder_has_the_names_that_the_original_checkpoint_is_converted_to(name: Name) -> None:
    own = set(build(name, "vae").state_dict())
    assert set(single_file_utils.DIFFUSERS_TO_LDM_MAPPING["vae"]) - {"quant_conv.weight", "quant_conv.bias"} <= own


@pytest.mark.parametrize("name", NAMES)
def test_the_embeddings_widths_agree(name: Name) -> None:
    unet, text, image = (build(name, p).config for p in ("unet", "text_encoder", "image_encoder"))
    width = {"sd15": 768, "sd21": 1024}[name]
    assert text.hidden_size == image.projection_dim == unet.cross_attention_dim == width
    with torch.device("meta"):
        assert VisualAdapter(text.hidden_size)(torch.empty(1, image.projection_dim)).shape == (1, width)


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_512_pixels_and_epsilon_is_predicted(name: Name) -> None:
    assert read_resolution(folder_source(CONFIGS / name)) == 512
    assert json.loads((CONFIGS / name / "scheduler/scheduler_config.json").read_text()).get("prediction_type", "epsilon") == "epsilon"


def test_the_motion_modules_fit_the_unet_and_hold_32_frames() -> None:
    adapter = build("sd15", "motion_adapter")
    assert adapter.config.motion_max_seq_length == 32
    with torch.device("meta"):
        UNetMotionModel.from_unet2d(build("sd15", "unet"), adapter, load_weights=False)
