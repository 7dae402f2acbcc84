"""Files for others: diffusers' own loaders draw our pictures, and other programs' key rules find every tensor."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import MotionAdapter, StableDiffusionPipeline
from diffusers.loaders.single_file_utils import convert_animatediff_checkpoint_to_diffusers
from safetensors import safe_open
from safetensors.torch import load_file

from tests.helpers.exported import PROMPT, draw_ours, draw_theirs, fresh_base, make_about, open_pipeline, write_weights
from tests.helpers.foreign_loras import added_weight, comfyui_names, layers_of, sd_scripts_names
from vd_core.bases.published import CONFIGS, build_part, copy_configurations
from vd_core.bases.stable_diffusion import folder_source
from vd_core.export.bundle import (
    differences_path,
    kohya_path,
    motion_path,
    save_embeddings,
    save_full_differences,
    save_lora_files,
    save_motion_files,
    save_tensors,
)
from vd_core.export.low_rank import LARGEST_RANK, approximate, factorize, needed_rank, read_differences, read_lora
from vd_core.export.metadata import read_kind
from vd_core.export.names import kohya_name

METHODS = ("lora", "custom_diffusion", "svdiff")
AT_MOST = 2
"""Of 255: how far two programs' pixels may be apart."""


@pytest.fixture
def folder(base_folders: dict[str, Path], kind: str) -> Path:
    """A base's folder, of each kind."""
    return base_folders[kind]


def export(method: str, folder: Path, place: Path) -> Path:
    """Weights of `method` in `place/weights`, exported to `place/export`."""
    write_weights(method, folder, place / "weights")
    about = make_about(folder)
    if method == "lora":
        save_lora_files(read_lora(place / "weights"), place / "export", about)
    else:
        base = fresh_base(folder)
        ids = {t: base.tokenizer(t, add_special_tokens=False).input_ids[0] for t in ("sks", "krk")}
        differences = read_differences(base, place / "weights")
        lora, error = approximate(differences)
        assert error < 0.006
        save_lora_files(lora, place / "export", make_about(folder, error=error))
        save_full_differences(differences, place / "export", about)
        save_embeddings(place / "weights", ids, place / "export", about)
    return place / "export"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("file", ["diffusers", "kohya"])
def test_diffusers_own_loader_draws_our_pixels(tmp_path: Path, folder: Path, method: str, file: str) -> None:
    exported = export(method, folder, tmp_path)
    ours, plain = draw_ours(folder, tmp_path / "weights"), draw_ours(folder, None)
    assert np.abs(ours - plain).max() > 20  # or the loader could have ignored the file
    pipeline, prompt = open_pipeline(folder), PROMPT
    pipeline.load_lora_weights(exported if file == "diffusers" else kohya_path(exported, "toys"))
    if method == "custom_diffusion":
        for token in ("sks", "krk"):
            pipeline.load_textual_inversion(exported / "embeddings" / f"toys-{token}.safetensors", token=f"toys-{token}")
        prompt = PROMPT.replace("sks", "toys-sks").replace("krk", "toys-krk")
    assert np.abs(draw_theirs(pipeline, folder, prompt) - ours).max() <= AT_MOST


def test_the_kohya_file_holds_the_same_tensors(tmp_path: Path, folder: Path) -> None:
    """Through diffusers' own converter: no key unused (it raises), none missing, every alpha the rank."""
    exported, lora = export("lora", folder, tmp_path), read_lora(tmp_path / "weights")
    converted, alphas = StableDiffusionPipeline.lora_state_dict(kohya_path(exported, "toys"))
    given = load_file(exported / "pytorch_lora_weights.safetensors")
    ours, theirs = (sorted((tuple(t.shape), t.double().sum().item()) for t in state.values()) for state in (given, converted))
    assert ours == theirs
    assert len(alphas) == len(lora) and set(alphas.values()) == {2.0}


@pytest.mark.parametrize("method", METHODS)
def test_comfyui_and_sd_scripts_find_every_key_and_add_our_change(tmp_path: Path, folder: Path, method: str) -> None:
    exported = export(method, folder, tmp_path)
    base, ours = fresh_base(folder), fresh_base(folder)
    changes = read_differences(ours, tmp_path / "weights")
    paths = [kohya_path(exported, "toys")] + [differences_path(exported, "toys")] * (method != "lora")
    for state in (load_file(path) for path in paths):
        assert layers_of(state) == {kohya_name(layer) for layer in changes}
        assert layers_of(state) <= comfyui_names(base.unet)
        for layer, change in changes.items():
            added = added_weight(state, kohya_name(layer), change)
            assert (added - change).norm() <= 0.006 * change.norm()
    unknown = layers_of(load_file(paths[0])) - sd_scripts_names(base.unet, base.text_encoder)
    ends = {"lora_unet_conv_in", "lora_unet_conv_out", "lora_unet_time_embedding_linear_1", "lora_unet_time_embedding_linear_2"}
    assert unknown == (ends if method == "svdiff" else set())  # sd-scripts has no LoRA on the U-Net's ends, SVDiff changes them


@pytest.mark.parametrize("name", ["sd15", "sd21"])
def test_every_layer_of_the_published_bases_has_a_name_that_others_know(name: str) -> None:
    """Of the published size, without weights."""
    with torch.device("meta"):
        unet, text_encoder = build_part(name, "unet"), build_part(name, "text_encoder")
    both = torch.nn.ModuleDict({"unet": unet, "text_encoder": text_encoder})
    layers = [n for n, m in both.named_modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)]
    assert len(layers) > 300 and (CONFIGS / name).is_dir()
    assert {kohya_name(layer) for layer in layers} <= comfyui_names(unet)
    ends = ("conv_in", "conv_out", "time_embedding.linear_1", "time_embedding.linear_2")
    inner = {kohya_name(layer) for layer in layers if not layer.endswith(ends)}
    assert inner == sd_scripts_names(unet, text_encoder)


def test_motion_modules_come_back_from_animatediffs_names(tmp_path: Path, folder: Path) -> None:
    save_motion_files(folder / "motion_adapter", tmp_path, make_about(folder))
    given = MotionAdapter.from_pretrained(folder / "motion_adapter").state_dict()
    again = MotionAdapter.from_pretrained(tmp_path / "motion_adapter").state_dict()
    original = load_file(motion_path(tmp_path, "toys"))
    converted = convert_animatediff_checkpoint_to_diffusers(original)
    learned = {k: t for k, t in given.items() if "pos_embed" not in k}
    assert converted.keys() == learned.keys() and all(torch.equal(converted[k], t) for k, t in learned.items())
    assert given.keys() == again.keys() and all(torch.equal(again[k], t) for k, t in given.items())
    positions = {k: t for k, t in original.items() if k.endswith("pos_encoder.pe")}
    assert len(positions) == 2 * sum(k.endswith("pos_embed.pe") for k in given) > 0
    assert {t.shape[1] for t in positions.values()} == {16}  # AnimateDiff-Evolved reads the most frames from it
    block = "down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0"
    parts = ("attention_blocks.0.to_q", "attention_blocks.1.to_out.0", "norms.0", "norms.1", "ff_norm", "ff.net.0.proj", "ff.net.2")
    assert {f"{block}.{part}.weight" for part in parts} <= original.keys()


def test_the_header_says_what_the_file_is(tmp_path: Path, folder: Path, kind: str) -> None:
    exported = export("lora", folder, tmp_path)
    for path in (exported / "pytorch_lora_weights.safetensors", kohya_path(exported, "toys")):
        with safe_open(path, "pt") as file:
            header = file.metadata()
        assert header["modelspec.sai_model_spec"] == "1.0.1" and header["modelspec.license"] == "apache-2.0"
        assert header["modelspec.architecture"] == "toybox/lora" and header["modelspec.resolution"] == "16x16"
        assert header["modelspec.prediction_type"] == {"sd1": "epsilon", "sd2": "v"}[kind]
        assert json.loads(header["videodreamer.tokens"]) == ["sks dog", "krk car"]
        assert json.loads(header["videodreamer.figures"]) == {"text2video_zero": {"subject_fidelity": 0.5}}
    assert (header["ss_network_dim"], header["ss_steps"]) == ("2", "9")
    assert json.loads(header["ss_tag_frequency"]) == {"5_sks dog": {"sks dog": 5}, "4_krk car": {"krk car": 4}}


def test_the_same_tensors_give_the_same_bytes(tmp_path: Path) -> None:
    """safetensors writes the header's metadata in an order that changes from file to file."""
    metadata = {f"key {i}": 'a <b> "ü" \\ \n\x1f' for i in range(20)}
    tensors = {"b": torch.ones(3), "a": torch.arange(6.0).reshape(2, 3)}
    for name in ("one", "two"):
        save_tensors(tensors, tmp_path / name, metadata)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with safe_open(tmp_path / "one", "pt") as file:
        assert file.metadata() == {"format": "pt", **metadata}
    assert torch.equal(load_file(tmp_path / "one")["a"], tensors["a"])


def test_a_published_bases_kind_is_said_in_others_words(tmp_path: Path) -> None:
    for name, said in (("sd15", "stable-diffusion-v1"), ("sd21", "stable-diffusion-v2-512")):
        copy_configurations(name, tmp_path / name)
        kind = read_kind("mine", folder_source(tmp_path / name))
        assert (kind.architecture, kind.resolution, kind.prediction_type) == (said, 512, "epsilon")


def test_a_difference_of_low_rank_is_found_whole_and_one_of_full_rank_says_its_error() -> None:
    generator = torch.Generator().manual_seed(0)
    thin = torch.randn(40, 3, generator=generator) @ torch.randn(3, 90, generator=generator)
    assert needed_rank(thin) == 3
    assert torch.allclose(factorize(thin, 50).product, thin, atol=1e-4)
    full = {"unet.conv": torch.randn(160, 40, 3, 3, generator=generator)}
    lora, error = approximate(full)
    factors = lora["unet.conv"]
    assert (factors.down.shape, factors.up.shape) == ((LARGEST_RANK, 40, 3, 3), (160, LARGEST_RANK, 1, 1))
    missed = (full["unet.conv"].flatten(1) - factors.product).norm() / full["unet.conv"].norm()
    assert error == pytest.approx(missed.item(), rel=1e-4) and error > 0.05
