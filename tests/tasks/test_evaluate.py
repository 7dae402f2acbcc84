"""The evaluate stage on drawn clips: what a clip shows is in metrics/<combination>.json, and what was not measured is absent."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from tasks.evaluate import evaluate
from tasks.shared.sections import EvaluateSection, Judging
from tests.helpers.imports import ROOT
from vd_core.metrics.fidelity import refer_to
from vd_core.metrics.judges import load_local_judges
from vd_core.metrics.report import to_unit
from vd_core.settings import Aesthetic, Part
from vd_core.toybox.world.draw import draw_clip, draw_scene
from vd_core.toybox.world.scenes import Scene, Toy

JUDGES = ROOT / "models/toybox/judges"
DOG, CAR = Toy("dog", "red", "teal", "checkered", size=0.46, x=0.27), Toy("car", "white", "green", "plain", size=0.46, x=0.73)


def write_clip(name: str, toys: tuple[Toy, ...], count: int) -> None:
    folder = Path("runs/toys/render") / name
    folder.mkdir(parents=True)
    for i, frame in enumerate(draw_clip(Scene(toys, "snow", 3))[:count]):
        Image.fromarray(frame).save(folder / f"{i:03d}.png")


@pytest.fixture
def rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What mix and render leave of two toys, in the working directory: four clips that are drawn."""
    monkeypatch.chdir(tmp_path)
    mix = Path("runs/toys/mix")
    references = {}
    for toy in (DOG, CAR):
        alone = Image.fromarray(draw_scene(Scene((replace(toy, x=0.5, size=0.6),), "city", 5))[0])
        (mix / "subjects" / toy.kind).mkdir(parents=True)
        alone.save(mix / "subjects" / toy.kind / "000.png")
        references[toy.kind] = refer_to(load_local_judges(JUDGES, torch.device("cpu")), toy.kind, to_unit([alone])).embeddings
    (mix / "references").mkdir()
    save_file(references, mix / "references/references.safetensors")
    subjects = [
        {"name": n, "class_noun": n, "placeholder_token": t, "folder": f"data/toys/{n}"} for n, t in (("dog", "sks"), ("car", "krk"))
    ]
    (mix / "subjects/about.json").write_text(json.dumps({"subjects": subjects}))
    moving = tuple(replace(toy, motion="jump") for toy in (DOG, CAR))
    clips = {
        "animatediff-00": (moving, 8),
        "animatediff-01": ((DOG, CAR), 8),
        "text2video_zero-00": ((DOG,), 2),
        "text2video_zero-01": ((), 2),
    }
    for name, (toys, count) in clips.items():
        write_clip(name, toys, count)
    videos = [{"video": v, "generator": v[:-3], "prompt": "a sks dog, a krk car in the snow"} for v in clips]
    Path("runs/toys/render/videos.json").write_text(json.dumps(videos))


def run(aesthetic: Aesthetic | None) -> dict[str, dict[str, float]]:
    judging = Judging(judges=str(JUDGES), files=None)
    evaluate(EvaluateSection(judging=judging, aesthetic=aesthetic, aesthetic_head=None, device="cpu"), "toys")
    return json.loads(Path("metrics/toys.json").read_text())


@pytest.mark.usefixtures("rendered")
def test_what_the_clips_show_is_in_the_metrics(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = run(None)
    both, poor = metrics["animatediff"], metrics["text2video_zero"]
    assert both["missing_rate"] == 0 and poor["missing_rate"] == 0.75
    assert both["collapse_rate"] == 0 and both["identity_margin"] > 0.2
    assert "identity_margin" in poor, "of the clip that shows a toy; the empty one has none"
    assert 0.98 < both["motion_smoothness"] < 1 and both["motion_amplitude"] > 1
    assert "motion_smoothness" not in poor and poor["motion_amplitude"] == 0, "two frames have no frame between them"
    assert not {"imaging_quality", "aesthetic_quality"} & both.keys()
    each = json.loads(Path("runs/toys/evaluate/videos.json").read_text())
    assert "identity_margin" in each["text2video_zero-00"] and "identity_margin" not in each["text2video_zero-01"]
    said = capsys.readouterr().out
    assert "identity margin" in said and said.count("motion smoothness") == 1


@pytest.mark.usefixtures("rendered")
def test_an_aesthetic_judge_without_weights_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert "aesthetic_quality" not in run(Aesthetic(Part("no/clip", None), "models/aesthetic/none.pth"))["animatediff"]
    assert capsys.readouterr().out.count("aesthetic quality is left out: models/aesthetic/none.pth is missing; put https://") == 1
