"""Every stage but the judged ones on random bases of both kinds: what is read, written, kept and refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file
from transformers import CLIPTokenizer

from tasks.finetune import finetune_stage
from tasks.mix import mix
from tasks.motion import motion
from tasks.refinetune import refinetune
from tasks.render import render
from tasks.sample import sample
from tasks.shared.params import load_params
from tasks.shared.picks import Picks, pick_candidates, read_candidates, write_picks
from tasks.swap import swap
from tests.project import write_random_judges
from vd_core.errors import InputError
from vd_core.files import sha256_of


def write_candidates(folder: Path, count: int) -> None:
    """Candidates as the sample stage leaves them, of noise."""
    folder.mkdir(parents=True)
    rows = []
    for n in range(1, count + 1):
        Image.fromarray(np.random.default_rng(n).integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(folder / f"{n:03d}.png")
        rows.append(
            {"number": n, "file": f"{n:03d}.png", "prompt": "a", "seed": n, "sha256": sha256_of(folder / f"{n:03d}.png"), "figures": {}}
        )
    (folder / "candidates.json").write_text(json.dumps(rows))


def run_to_finetune() -> None:
    params = load_params()
    mix(params, "toys")
    finetune_stage(params, "toys")


def test_from_pictures_to_videos(workspace: Path, kind: str) -> None:
    params = load_params()
    run_to_finetune()
    write_candidates(Path("runs/toys/sample"), 3)
    candidates = read_candidates(Path("runs/toys/sample"))
    write_picks(pick_candidates(candidates, [3, 1], "tester", "now"), Path("picks/toys.yaml"))
    refinetune(params, "toys")
    motion(params, "toys")
    swap(params, "toys")
    render(params, "toys")
    videos = json.loads(Path("runs/toys/render/videos.json").read_text())
    assert [v["generator"] for v in videos] == ["text2video_zero"] * 3 + ["animatediff"] * 3
    for video in videos:
        frames = sorted((Path("runs/toys/render") / video["video"]).glob("*.png"))
        assert len(frames) == {"text2video_zero": 3, "animatediff": 4}[video["generator"]]
        assert Image.open(frames[0]).size == (16, 16)
        assert Path(f"runs/toys/render/{video['video']}.mp4").stat().st_size > 0
        assert video["prompt"].startswith("a sks dog, a krk car ")
        assert "regions" not in video["prompt"]
    assert not list(Path("runs/toys").glob(".*"))


def test_neither_the_stitch_prompt_nor_the_visual_adapter_reaches_generation(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every text that candidates and videos are made of, and the bytes of both without the visual adapter's file."""
    told: list[str] = []
    tokenise = CLIPTokenizer.__call__

    def listen(self: CLIPTokenizer, text: str | list[str], *args, **kwargs):
        told.extend([text] if isinstance(text, str) else text)
        return tokenise(self, text, *args, **kwargs)

    write_random_judges(Path(load_params().base) / "judges")
    run_to_finetune()
    write_picks(Picks(approval="skip"), Path("picks/toys.yaml"))
    made = []
    for adapter in (True, False):
        if not adapter:
            Path("runs/toys/finetune/visual_adapter.safetensors").unlink()
        monkeypatch.setattr(CLIPTokenizer, "__call__", listen)
        sample(load_params(), "toys")
        monkeypatch.setattr(CLIPTokenizer, "__call__", tokenise)
        refinetune(load_params(), "toys")
        motion(load_params(), "toys")
        swap(load_params(), "toys")
        monkeypatch.setattr(CLIPTokenizer, "__call__", listen)
        render(load_params(), "toys")
        monkeypatch.setattr(CLIPTokenizer, "__call__", tokenise)
        made.append({p: p.read_bytes() for stage in ("sample", "render") for p in Path("runs/toys", stage).rglob("*.png")})
    assert any("sks" in text for text in told) and not any("regions" in text for text in told)
    assert made[0] and made[0] == made[1]


def test_lora_loads_in_diffusers_and_acts(workspace: Path, kind: str, base_folders: dict[str, Path]) -> None:
    run_to_finetune()
    weights = load_file("runs/toys/finetune/pytorch_lora_weights.safetensors")
    assert any(k.startswith("unet.") for k in weights)
    assert any(k.startswith("text_encoder.") for k in weights)
    pipeline = StableDiffusionPipeline.from_pretrained(base_folders[kind])
    ids = pipeline.tokenizer(["a sks dog"], padding="max_length", return_tensors="pt").input_ids
    plain = pipeline.text_encoder(ids).last_hidden_state
    sample = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    before = pipeline.unet(sample, 5, plain).sample
    pipeline.load_lora_weights("runs/toys/finetune")
    assert not torch.equal(before, pipeline.unet(sample, 5, plain).sample)
    assert not torch.equal(plain, pipeline.text_encoder(ids).last_hidden_state)


def test_same_seed_same_bytes(workspace: Path) -> None:
    run_to_finetune()
    first = Path("runs/toys/finetune/pytorch_lora_weights.safetensors").read_bytes()
    run_to_finetune()
    assert first == Path("runs/toys/finetune/pytorch_lora_weights.safetensors").read_bytes()


def test_skip_keeps_the_weights(workspace: Path) -> None:
    run_to_finetune()
    write_candidates(Path("runs/toys/sample"), 3)
    write_picks(Picks(approval="skip"), Path("picks/toys.yaml"))
    refinetune(load_params(), "toys")
    before, after = (Path(f"runs/toys/{s}/pytorch_lora_weights.safetensors").read_bytes() for s in ("finetune", "refinetune"))
    assert before == after


def test_changed_pick_is_refused_and_nothing_is_lost(workspace: Path) -> None:
    run_to_finetune()
    write_candidates(Path("runs/toys/sample"), 3)
    candidates = read_candidates(Path("runs/toys/sample"))
    write_picks(pick_candidates(candidates, [1, 2], "tester", "now"), Path("picks/toys.yaml"))
    refinetune(load_params(), "toys")
    before = Path("runs/toys/refinetune/pytorch_lora_weights.safetensors").read_bytes()
    Path("runs/toys/sample/002.png").write_bytes(Path("runs/toys/sample/003.png").read_bytes())
    with pytest.raises(InputError, match=r"002\.png is not the picture that was picked"):
        refinetune(load_params(), "toys")
    assert before == Path("runs/toys/refinetune/pytorch_lora_weights.safetensors").read_bytes()


def test_without_a_motion_clip_the_base_moves(workspace: Path) -> None:
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("motion_prompt: a bear jumping in the city", "motion_prompt: null"))
    params = load_params()
    motion(params, "toys")
    Path("runs/toys/refinetune").mkdir()
    Path("runs/toys/refinetune/pytorch_lora_weights.safetensors").write_bytes(b"")
    swap(params, "toys")
    assert json.loads(Path("runs/toys/swap/generator.json").read_text())["motion_modules"] == "the base's"


def test_naive_motion_keeps_the_references_image_modules(workspace: Path) -> None:
    motion(load_params(), "toys")
    Path("runs/toys/refinetune").mkdir()
    Path("runs/toys/refinetune/pytorch_lora_weights.safetensors").write_bytes(b"")
    swap(load_params(), "toys")
    assert not Path("runs/toys/swap/image_modules").exists()
    Path("params.yaml").write_text(Path("params.yaml").read_text().replace("swap: true", "swap: false"))
    swap(load_params(), "toys")
    assert Path("runs/toys/swap/image_modules/pytorch_lora_weights.safetensors").is_file()
