"""A study of played methods: finished combinations whose videos are one color each, and whose true order is known."""

import json
from pathlib import Path

from PIL import Image

from vd_core.inputs.clips import save_video

TRUTH = {"Ours": "pets-ours", "DreamBooth": "pets-dreambooth", "SVDiff": "pets-svdiff"}
"""Methods from best to worst, and their combinations."""
PROMPTS = ["a sks dog, a olis cat on the beach", 'a sks dog, a olis cat in the <snow> & "rain"', "a sks dog, a olis cat in space"]


def write_combination(name: str, shade: int, prompts: list[str] = PROMPTS) -> None:
    """A combination's files as its stages leave them, in the working directory."""
    run = Path("runs") / name
    subjects = [("dog", "sks"), ("cat", "olis")]
    for noun, _ in subjects:
        (run / "mix" / "subjects" / noun).mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (64, 64), (200, 20 * i, 50)).save(run / "mix" / "subjects" / noun / f"{i:03d}.png")
    rows = [{"name": n, "class_noun": n, "placeholder_token": t, "pictures": []} for n, t in subjects]
    (run / "mix" / "subjects" / "about.json").write_text(json.dumps({"resolution": 64, "subjects": rows}))
    videos = []
    for i, prompt in enumerate(prompts):
        save_video([Image.new("RGB", (64, 64), (shade, 40 * f, 90 * i)) for f in range(6)], run / "encode" / f"animatediff-{i:02d}.mp4", 8)
        videos.append({"video": f"animatediff-{i:02d}", "generator": "animatediff", "prompt": prompt, "seed": i})
    (run / "render").mkdir()
    (run / "render" / "videos.json").write_text(json.dumps(videos))


def write_truth() -> None:
    """All of TRUTH's combinations."""
    for shade, combination in enumerate(TRUTH.values()):
        write_combination(combination, 80 * shade)
