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

from tasks.shared.picks import Picks, pick_candidates, read_candidates, write_picks
from tasks.shared.yaml_files import read_yaml
from tests.helpers.candidates import write_candidates
from tests.helpers.workspace import change, change_combination, run_stages
from vd_core.errors import InputError
from vd_core.generation import staging
from vd_core.generation.guides import Solos
from vd_core.generation.staging import lay_out_events
from vd_core.generation.takes import Director, Draw, Drawn, draw_alone, like_any, shows_all
from vd_core.inputs.clip_motion import ClipMotion
from vd_core.inputs.scenes import Asked, Said
from vd_core.inputs.staging import Laid


def test_from_pictures_to_videos(workspace: Path, kind: str) -> None:
    run_stages("mix", "finetune")
    write_candidates(Path("runs/toys/sample"), 3)
    candidates = read_candidates(Path("runs/toys/sample"))
    write_picks(pick_candidates(candidates, [3, 1], "tester"), Path("picks/toys.yaml"))
    run_stages("refinetune", "motion", "swap", "render", "encode")
    videos = json.loads(Path("runs/toys/render/videos.json").read_text())
    assert [v["generator"] for v in videos] == ["text2video_zero"] * 3 + ["animatediff"] * 3
    for video in videos:
        frames = sorted((Path("runs/toys/render") / video["video"]).glob("*.png"))
        assert len(frames) == {"text2video_zero": 3, "animatediff": 4}[video["generator"]]
        assert Image.open(frames[0]).size == (16, 16)
        assert Path(f"runs/toys/encode/{video['video']}.mp4").stat().st_size > 0
        assert video["prompt"].startswith("a sks dog, a krk car ")
        assert "regions" not in video["prompt"]
    assert not list(Path("runs/toys").glob(".*"))


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_subjects_are_drawn_alone_first_where_that_is_wanted(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every candidate's and every clip's that has regions; a plain prompt's as ever. What the clip leads, or words, is a picture that lasts."""
    alone: list[int] = []
    directors: list[Director] = []
    words: list[Said | None] = []
    held: list[bool] = []

    def lay(drawn: list[list[Drawn]], solos: Solos, lasts: bool) -> Laid:
        held.append(lasts)
        return lay_out_events(drawn, solos, lasts)

    def count(director: Director, draw: Draw, prompt_embeds: torch.Tensor, seeds: list[int], asked: list[Asked]) -> list[Drawn]:
        alone.extend(seeds)
        directors.append(director)
        assert len(asked) == len(seeds) and all(d.shows is not shows_all and d.fits for d in directors)
        words.extend(own.said for own in asked)
        return draw_alone(director, draw, prompt_embeds, seeds, asked)

    monkeypatch.setattr(staging, "draw_alone", count)
    monkeypatch.setattr(staging, "lay_out_events", lay)
    run_stages("mix", "finetune")
    change("regions", {"staged": 0.5, "layouts": 2, "takes": 2})
    change("render", {"motion_from_clip": True})
    change_combination({"prompts": [{"scene": "in the snow", "subjects": {"dog": "is jumping", "car": ""}}, "in the city"]})
    write_picks(Picks(approval="skip"), Path("picks/toys.yaml"))
    run_stages("sample", "refinetune", "motion", "swap")
    assert len(set(alone)) == len(alone) == 2 * 3
    run_stages("render")
    assert len(set(alone)) == len(alone) == 2 * 3 + 2 * 2
    assert all(d.takes == 2 and d.alike is not like_any for d in directors)
    assert held == [False] * 3 + [True] * 2 and words[-2:] == [("a dog is jumping in the snow", "a dog in the snow"), None]
    assert len(json.loads(Path("runs/toys/render/videos.json").read_text())) == 4
    monkeypatch.setattr("tasks.render.follow_clip", lambda *_: ClipMotion((), np.zeros((16, 2))))
    run_stages("render")
    assert held[5:] == [False, False]  # whom nothing leads must not stand still
    change("render", {"motion_from_words": True})
    run_stages("render")
    assert held[7:] == [True, True] and words[-2:] == [None, None]  # its box jumps
    boxes = {"dog": [[0, 0.2, 0.5, 1], [0.2, 0.2, 0.7, 1]], "car": [0.5, 0.2, 1, 1]}
    change_combination({"prompts": [{"scene": "in the snow", "subjects": {"dog": "is jumping", "car": ""}, "layout": boxes}]})
    run_stages("render")
    assert held[9:] == [True, False] and words[-2:] != [
        None,
        None,
    ]  # Text2Video-Zero would carry its latents; a clip of AnimateDiff's jumps by itself
    alone.clear()
    change_combination({"prompts": [{"from": "in the forest", "to": "on the beach"}]})
    run_stages("render")
    assert len(alone) == 2 * 2 and len(set(alone)) == 2  # in AnimateDiff, each at both places


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_finetuned_subjects_are_taken_for_other_prompts(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New videos of the same subjects cost no training."""
    run_stages("mix", "finetune")
    write_picks(Picks(approval="skip"), Path("picks/toys.yaml"))
    run_stages("sample", "refinetune")
    toys = read_yaml(Path("params.yaml"))["combinations"]["toys"]
    change_combination(
        toys | {"prompts": ["in the city"], "motion_prompt": None, "render": {"generators": ["text2video_zero"]}}, name="again"
    )
    Path("data/again").mkdir()
    for stage in ("finetune", "refinetune", "sample"):
        monkeypatch.setattr(f"tasks.{stage}.open_base", None)  # none of them may compute
    run_stages("mix", "finetune", "sample", "refinetune", "motion", "swap", "render", name="again")
    lora = "pytorch_lora_weights.safetensors"
    assert Path("runs/again/swap", lora).read_bytes() == Path("runs/toys/refinetune", lora).read_bytes()
    videos = json.loads(Path("runs/again/render/videos.json").read_text())
    assert [v["prompt"] for v in videos] == ["a sks dog, a krk car in the city"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_neither_the_stitch_prompt_nor_the_visual_adapter_reaches_generation(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every text that candidates and videos are made of, and the bytes of both without the visual adapter's file."""
    told: list[str] = []
    tokenise = CLIPTokenizer.__call__

    def listen(self: CLIPTokenizer, text: str | list[str], *args, **kwargs):
        told.extend([text] if isinstance(text, str) else text)
        return tokenise(self, text, *args, **kwargs)

    run_stages("mix", "finetune")
    write_picks(Picks(approval="skip"), Path("picks/toys.yaml"))
    made = []
    for adapter in (True, False):
        if not adapter:
            Path("runs/toys/finetune/visual_adapter.safetensors").unlink()
        monkeypatch.setattr(CLIPTokenizer, "__call__", listen)
        run_stages("sample")
        monkeypatch.setattr(CLIPTokenizer, "__call__", tokenise)
        run_stages("refinetune", "motion", "swap")
        monkeypatch.setattr(CLIPTokenizer, "__call__", listen)
        run_stages("render")
        monkeypatch.setattr(CLIPTokenizer, "__call__", tokenise)
        made.append({p: p.read_bytes() for stage in ("sample", "render") for p in Path("runs/toys", stage).rglob("*.png")})
    assert any("sks" in text for text in told) and not any("regions" in text for text in told)
    assert made[0] and made[0] == made[1]


def test_lora_loads_in_diffusers_and_acts(workspace: Path, kind: str, base_folders: dict[str, Path]) -> None:
    run_stages("mix", "finetune")
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
    run_stages("mix", "finetune")
    first = Path("runs/toys/finetune/pytorch_lora_weights.safetensors").read_bytes()
    run_stages("mix", "finetune")
    assert first == Path("runs/toys/finetune/pytorch_lora_weights.safetensors").read_bytes()


def test_skip_keeps_the_weights(workspace: Path) -> None:
    run_stages("mix", "finetune")
    write_candidates(Path("runs/toys/sample"), 3)
    write_picks(Picks(approval="skip"), Path("picks/toys.yaml"))
    run_stages("refinetune")
    before, after = (Path(f"runs/toys/{s}/pytorch_lora_weights.safetensors").read_bytes() for s in ("finetune", "refinetune"))
    assert before == after


def test_changed_pick_is_refused_and_nothing_is_lost(workspace: Path) -> None:
    run_stages("mix", "finetune")
    write_candidates(Path("runs/toys/sample"), 3)
    candidates = read_candidates(Path("runs/toys/sample"))
    write_picks(pick_candidates(candidates, [1, 2], "tester"), Path("picks/toys.yaml"))
    run_stages("refinetune")
    before = Path("runs/toys/refinetune/pytorch_lora_weights.safetensors").read_bytes()
    Path("runs/toys/sample/002.png").write_bytes(Path("runs/toys/sample/003.png").read_bytes())
    with pytest.raises(InputError, match=r"002\.png is not the picture that was picked"):
        run_stages("refinetune")
    assert before == Path("runs/toys/refinetune/pytorch_lora_weights.safetensors").read_bytes()


@pytest.mark.parametrize("without", [{"motion_prompt": None}, {"motion": {"finetune": False}}], ids=["no clip", "not finetuned"])
def test_without_a_motion_that_is_learned_the_base_moves(workspace: Path, without: dict) -> None:
    change_combination(without)
    run_stages("mix", "motion")
    Path("runs/toys/refinetune").mkdir()
    Path("runs/toys/refinetune/pytorch_lora_weights.safetensors").write_bytes(b"")
    run_stages("swap")
    assert json.loads(Path("runs/toys/swap/generator.json").read_text())["motion_modules"] == "the base's"
    assert any(Path("runs/toys/mix/clip").glob("*.png")) == ("motion" in without)  # boxes can still go its ways


def test_naive_motion_keeps_the_references_image_modules(workspace: Path) -> None:
    run_stages("mix", "motion")
    Path("runs/toys/refinetune").mkdir()
    Path("runs/toys/refinetune/pytorch_lora_weights.safetensors").write_bytes(b"")
    run_stages("swap")
    assert not Path("runs/toys/motion/image_modules").exists()  # from copies, T_m learns alone
    change("motion", {"copies": 0})
    run_stages("motion", "swap")
    assert Path("runs/toys/motion/image_modules").exists() and not Path("runs/toys/swap/image_modules").exists()
    change("motion", {"swap": False})
    run_stages("swap")
    assert Path("runs/toys/swap/image_modules/pytorch_lora_weights.safetensors").is_file()
