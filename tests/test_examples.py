"""The examples work: the script on the embedded base, the workflow with the names that a bundle has."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers.exported import make_about
from tests.helpers.imports import ROOT, imported_names
from vd_core.bases.stable_diffusion import folder_source, load_base
from vd_core.customisation.lora import add_lora, save_lora
from vd_core.export.bundle import kohya_path, motion_path, save_lora_files, save_motion_files
from vd_core.export.low_rank import read_lora

TOYBOX = ROOT / "models/toybox"
PLACES = {"lora_name": ("models/loras", kohya_path), "model_name": ("models/animatediff_models", motion_path)}
OUTPUTS = {
    "CheckpointLoaderSimple": ("MODEL", "CLIP", "VAE"),
    "LoraLoader": ("MODEL", "CLIP"),
    "ADE_LoadAnimateDiffModel": ("MOTION_MODEL_ADE",),
    "ADE_ApplyAnimateDiffModelSimple": ("M_MODELS",),
    "ADE_UseEvolvedSampling": ("MODEL",),
    "CLIPTextEncode": ("CONDITIONING",),
    "EmptyLatentImage": ("LATENT",),
    "KSampler": ("LATENT",),
    "VAEDecode": ("IMAGE",),
    "SaveAnimatedWEBP": (),
}
"""What each node of ComfyUI and AnimateDiff-Evolved gives, in its order."""
INPUTS = {"model": "MODEL", "clip": "CLIP", "vae": "VAE", "motion_model": "MOTION_MODEL_ADE", "m_models": "M_MODELS", "samples": "LATENT"}
INPUTS |= {"positive": "CONDITIONING", "negative": "CONDITIONING", "latent_image": "LATENT", "images": "IMAGE"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded base's own motion, and a LoRA on all its layers that changes nothing yet."""
    import torch

    folder = tmp_path_factory.mktemp("export")
    base = load_base(folder_source(TOYBOX), torch.device("cpu"))
    add_lora(base, 2, 0, "all")
    save_lora(base, folder)
    about = make_about(TOYBOX)
    save_lora_files(read_lora(folder), folder / "export", about)
    save_motion_files(TOYBOX / "motion_adapter", folder / "export", about)
    return folder / "export"


@pytest.mark.slow
def test_the_script_draws_with_diffusers_alone(bundle: Path, tmp_path: Path) -> None:
    script = ROOT / "examples/use_in_diffusers.py"
    assert not {name.split(".")[0] for name in imported_names(script.read_text())} & {"vd_core", "tasks", "flows"}
    command = [sys.executable, str(script), str(bundle), "a sks dog, a krk car in the snow", "--base", str(TOYBOX)]
    options = ["--steps", "2", "--frames", "2", "--out", str(tmp_path / "drawn")]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run([*command, *options], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "No LoRA keys" not in done.stderr
    picture, video = Image.open(tmp_path / "drawn/picture.png"), Image.open(tmp_path / "drawn/video.gif")
    assert picture.size == video.size == (64, 64) and video.n_frames == 2
    assert len(picture.convert("L").getcolors() or ()) > 20


def test_the_workflow_fits_the_bundle() -> None:
    """Every wire ends at an output of the kind that the input takes; the files are those of a combination called pets, and the titles say where they go."""
    nodes = json.loads((ROOT / "examples/comfyui.json").read_text())
    for node in nodes.values():
        wires = {k: v for k, v in node["inputs"].items() if isinstance(v, list)}
        assert all(OUTPUTS[nodes[source]["class_type"]][index] == INPUTS[name] for name, (source, index) in wires.items())
        for key, (place, path) in PLACES.items():
            if key in node["inputs"]:
                exported = path(Path("runs/pets/export"), "pets")
                assert node["inputs"][key] == exported.name and node["_meta"]["title"].endswith(f"{exported}, in {place}")
    used = {source for node in nodes.values() for v in node["inputs"].values() if isinstance(v, list) for source in [v[0]]}
    assert set(nodes) - used == {"11"}  # nothing hangs loose but the last
