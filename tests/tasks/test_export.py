"""The stage `export`: a bundle that others can use, a model card, and a page of everything."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from diffusers import AnimateDiffPipeline, MotionAdapter
from huggingface_hub import ModelCard
from safetensors import safe_open

from tasks.shared.picks import pick_candidates, read_candidates, write_picks
from tests.helpers.candidates import write_candidates
from tests.helpers.exported import draw_ours, draw_theirs, open_pipeline
from tests.helpers.workspace import change, change_combination, run_stages

FIGURES = {"subject_fidelity": 0.5, "missing_rate": 0.25}
BUNDLE = Path("runs/toys/export")


def run_all() -> None:
    """Everything up to `export`, with candidates and metrics that nobody judged."""
    run_stages("mix", "finetune")
    write_candidates(Path("runs/toys/sample"), 3)
    write_picks(pick_candidates(read_candidates(Path("runs/toys/sample")), [3, 1], "Ann & <b>Bob</b>"), Path("picks/toys.yaml"))
    run_stages("refinetune", "motion", "swap", "render", "encode")
    videos = json.loads(Path("runs/toys/render/videos.json").read_text())
    Path("runs/toys/evaluate").mkdir()
    Path("runs/toys/evaluate/videos.json").write_text(json.dumps({v["video"]: FIGURES for v in videos}))
    Path("metrics").mkdir(exist_ok=True)
    Path("metrics/toys.json").write_text(json.dumps({v["generator"]: FIGURES for v in videos}))
    Path("runs/toys/finetune/losses.csv").write_text("step,loss,separate\n10,1.5,nan\n20,0.5,0.25\n")
    Path("runs/toys/finetune/validation.csv").write_text("step,fidelity,score,best\n10,0.1,0.2,0\n20,0.3,0.4,1\n")
    run_stages("export")


class Page(HTMLParser):
    """What a page's tags say."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def test_the_bundle_is_whole_and_the_page_needs_nothing_else(workspace: Path, kind: str, base_folders: dict[str, Path]) -> None:
    change_combination({"prompts": ['on the <beach> & "sea"', "in the snow"]})
    change("hlr", {"related_prompts": ["on the beach"]})
    run_all()
    assert {str(p.relative_to(BUNDLE)) for p in BUNDLE.rglob("*") if p.is_file()} == {
        "README.md",
        "animatediff/toys_motion.safetensors",
        "index.html",
        "kohya/toys.safetensors",
        "motion_adapter/config.json",
        "motion_adapter/diffusion_pytorch_model.safetensors",
        "pytorch_lora_weights.safetensors",
        "sheet.jpg",
    }
    check_page((BUNDLE / "index.html").read_text())
    check_card(ModelCard.load(BUNDLE / "README.md"), base_folders[kind])
    with safe_open(BUNDLE / "kohya/toys.safetensors", "pt") as file:
        assert json.loads(file.metadata()["videodreamer.prompts"])[0] == 'a sks dog, a krk car on the <beach> & "sea"'
    first = {p: p.read_bytes() for p in BUNDLE.rglob("*") if p.is_file()}
    run_stages("export")
    assert first == {p: p.read_bytes() for p in BUNDLE.rglob("*") if p.is_file()}


def check_page(text: str) -> None:
    """The page is whole, says what was given and chosen, escapes what a person wrote, and its pictures have words."""
    page = Page(text)
    sources = [a.get("src") or a.get("href") or "" for tag in ("img", "script", "link", "a", "iframe", "video") for a in page.all(tag)]
    assert sources and all(s.startswith("data:") or s == "" for s in sources)
    assert "<beach>" not in text and "<b>Bob" not in text and "on the &lt;beach&gt; &amp; &#34;sea&#34;" in text
    clips = [a for tag, a in page.tags if tag == "div" and str(a.get("class", "")).startswith("clip")]
    assert len(clips) == 4 and all(c["aria-label"] for c in clips)
    frames = [a for a in page.all("img") if a.get("alt") == ""]
    assert len(frames) == 2 * (3 + 4)
    alts = [a["alt"] for a in page.all("img") if a["alt"]]
    assert len(alts) == 5 + 5 + 3 and "dog, given picture 1" in alts
    assert sum("chosen" in alt for alt in alts) == 2 and "Chosen by Ann &amp; &lt;b&gt;Bob&lt;/b&gt;: 1, 3." in text
    assert re.search(r"subject fidelity ↑</dt><dd>0\.500", text) and re.search(r"missing rate ↓</dt><dd>0\.250", text)
    assert page.all("html")[0]["lang"] == "en" and len(page.all("polyline")) == 4


def check_card(card: ModelCard, base_folder: Path) -> None:
    """A hub can read the card's front matter; a base in a folder is no repository, so it is not named there."""
    data = card.data.to_dict()
    assert data["license"] == "apache-2.0" and data["library_name"] == "diffusers" and "lora" in data["tags"]
    assert "base_model" not in data and str(base_folder) in card.text
    assert data["instance_prompt"] == "sks dog, krk car" and "(sheet.jpg)" in card.text
    assert "|  | Text2Video-Zero | AnimateDiff |" in card.text and "| missing rate ↓ | 0.250 | 0.250 |" in card.text


@pytest.mark.parametrize("method", ["disen_mix", "custom_diffusion"])
def test_others_draw_what_the_run_draws(workspace: Path, kind: str, base_folders: dict[str, Path], method: str) -> None:
    override = {"method": method, "render": {"generators": ["text2video_zero"]}}
    change_combination(override | {"motion_prompt": None, "prompts": ["in the snow"]})
    run_all()
    pipeline, said = open_pipeline(base_folders[kind]), (BUNDLE / "README.md").read_text()
    pipeline.load_lora_weights(BUNDLE)
    prompt = "a sks dog, a krk car in the snow"
    for file in sorted((BUNDLE / "embeddings").glob("*.safetensors")):
        pipeline.load_textual_inversion(file, token=file.stem)
        prompt = prompt.replace(file.stem.removeprefix("toys-"), file.stem)
    assert f'pipeline("{prompt}")' in said
    ours, theirs = draw_ours(base_folders[kind], Path("runs/toys/swap")), draw_theirs(pipeline, base_folders[kind], prompt)
    assert np.abs(ours - theirs).max() <= 2
    assert ("trained no LoRA" in said) == (method == "custom_diffusion") == (BUNDLE / "kohya/toys_full.safetensors").is_file()
    assert not (BUNDLE / "motion_adapter").exists()


def test_the_motion_is_loaded_by_diffusers(workspace: Path, kind: str, base_folders: dict[str, Path]) -> None:
    change_combination({"prompts": ["in the snow"]})
    run_all()
    adapter = MotionAdapter.from_pretrained(BUNDLE / "motion_adapter")
    pipeline = AnimateDiffPipeline.from_pretrained(base_folders[kind], motion_adapter=adapter, safety_checker=None)
    pipeline.load_lora_weights(BUNDLE)
    frames = pipeline("a sks dog", num_frames=2, num_inference_steps=2, height=16, width=16).frames[0]
    assert len(frames) == 2
