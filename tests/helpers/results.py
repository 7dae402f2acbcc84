"""Rendered videos and their metrics as the render and evaluate stages leave them, of noise."""

import json
from pathlib import Path

from tests.helpers.pictures import noise_picture

FIGURES = {"subject_fidelity": 0.5, "missing_rate": 0.25}
GENERATORS = {"text2video_zero": 2, "animatediff": 4}
"""By name: how many frames each clip has."""


def write_results(root: Path, prompts: list[str], side: int = 16) -> None:
    """A clip of each prompt and generator in `root`/runs/toys, and the metrics of all."""
    render, rows = root / "runs/toys/render", []
    for generator, frames in GENERATORS.items():
        for i, prompt in enumerate(prompts):
            name = f"{generator}-{i:02d}"
            (render / name).mkdir(parents=True)
            for n in range(frames):
                noise_picture(100 * i + n, (side, side)).save(render / name / f"{n:03d}.png")
            rows.append({"video": name, "generator": generator, "prompt": prompt, "seed": 10 * i})
    (render / "videos.json").write_text(json.dumps(rows))
    (root / "runs/toys/evaluate").mkdir(parents=True)
    (root / "runs/toys/evaluate/videos.json").write_text(json.dumps({r["video"]: FIGURES for r in rows}))
    (root / "metrics").mkdir(exist_ok=True)
    (root / "metrics/toys.json").write_text(json.dumps(dict.fromkeys(GENERATORS, FIGURES)))
