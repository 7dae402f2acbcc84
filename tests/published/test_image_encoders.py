"""CLIP's image encoder as its repositories have it: inside a whole CLIP, whose configuration says the projection's width once, at the top."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import CLIPConfig, CLIPModel

from vd_core.bases.stable_diffusion import folder_source, load_base


@pytest.mark.parametrize("kind", ["sd1"])
def test_an_image_encoder_out_of_a_whole_clip_has_the_width_of_its_projection(
    base_folders: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    """LAION's configurations name no width for the vision part, and transformers then takes 512 (transformers #25622)."""
    base, folder = tmp_path / "base", tmp_path / "base/image_encoder"
    shutil.copytree(base_folders[kind], base)
    own = json.loads((folder / "config.json").read_text())
    small = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    vision = {
        k: own[k] for k in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "image_size", "patch_size")
    }
    clip = CLIPModel(CLIPConfig(text_config=small | {"vocab_size": 99}, vision_config=vision, projection_dim=own["projection_dim"]))
    (folder / "config.json").unlink()
    (folder / "model.safetensors").unlink()
    clip.save_pretrained(folder)
    written = json.loads((folder / "config.json").read_text())
    written["vision_config"].pop("projection_dim", None)
    (folder / "config.json").write_text(json.dumps(written))
    encoder = load_base(folder_source(base), torch.device("cpu")).image_encoder
    pixels = torch.randn(1, 3, own["image_size"], own["image_size"])
    with torch.no_grad():
        theirs = clip.eval().visual_projection(clip.vision_model(pixels).pooler_output)
        assert torch.allclose(encoder(pixels).image_embeds, theirs, atol=1e-5)
