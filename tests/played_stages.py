"""Stages that do nothing slow, in dvc.yaml's place: for tests of what surrounds them. Run as `python play.py <stage> <combination>`."""

from pathlib import Path

import yaml

PLAY = """
import hashlib, json, shutil, sys, time
from pathlib import Path
import numpy as np
import yaml
from PIL import Image
from tasks.shared.command import replaced_folder
from tasks.shared.picks import read_candidates, read_picks, resolve_picks
from vd_core.files import sha256_of

stage, name = sys.argv[1:]
runs = Path("runs") / name
with Path("calls.txt").open("a") as calls:
    calls.write(f"{stage}@{name}\\n")
if Path(f"slow-{stage}").exists():
    time.sleep(8)
with replaced_folder(runs / stage) as folder:
    if stage == "sample":
        rows, start = [], yaml.safe_load(Path("params.yaml").read_text())["combinations"][name]["sampling_round"] * 4
        for n in range(1, 5):
            pixels = np.random.default_rng(start + n).integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{n:03d}.png")
            figures = {"identity": [0.5, 0.25], "missing": 0, "stitched": False, "text_fidelity": 0.3, "rank_score": 0.25}
            row = {"number": n, "file": f"{n:03d}.png", "sha256": sha256_of(folder / f"{n:03d}.png")}
            rows.append(row | {"prompt": "a", "seed": n, "figures": figures})
        (folder / "candidates.json").write_text(json.dumps(rows))
        Image.new("RGB", (64, 64)).save(folder / "sheet.jpg")
    elif stage == "refinetune":
        picks = resolve_picks(read_picks(Path("picks") / f"{name}.yaml"), read_candidates(runs / "sample"), 2)
        (folder / "picked.json").write_text(json.dumps([sha256_of(p) for p in picks]))
    if Path(f"break-{stage}").exists():
        raise SystemExit("error: broken half-way")
    (folder / "done.txt").write_text(stage)
if stage == "evaluate":
    Path("metrics").mkdir(exist_ok=True)
    Path(f"metrics/{name}.json").write_text('{"text2video_zero": {"subject_fidelity": 0.5}}')
"""


def play_stages(project: Path, combinations: list[str]) -> None:
    """Put played stages and `combinations` into a project made by `build_project`."""
    (project / "play.py").write_text(PLAY)
    order = ["mix", "finetune", "sample", "refinetune", "motion", "swap", "render", "evaluate"]
    above = {"finetune": ["mix"], "sample": ["finetune"], "refinetune": ["sample"], "swap": ["refinetune", "motion"]}
    above |= {"render": ["swap"], "evaluate": ["render"]}
    stages = {}
    for stage in order:
        deps: list[object] = [f"runs/${{key}}/{a}" for a in above.get(stage, [])]
        deps += ["picks/${key}.yaml"] * (stage == "refinetune")
        do: dict[str, object] = {"cmd": f"python play.py {stage} ${{key}}", "deps": deps or ["play.py"]}
        do["outs"] = [{f"runs/${{key}}/{stage}": {"persist": True}}]
        do |= {"params": ["combinations.${key}.sampling_round"]} if stage == "sample" else {}
        do |= {"metrics": [{"metrics/${key}.json": {"cache": False, "persist": True}}]} if stage == "evaluate" else {}
        stages[stage] = {"foreach": "${combinations}", "do": do}
    (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["combinations"] = dict.fromkeys(combinations, params["combinations"]["toys"])
    (project / "params.yaml").write_text(yaml.safe_dump(params))


def calls(project: Path) -> list[str]:
    """The stages that were really run since the last call of this."""
    file = project / "calls.txt"
    said = file.read_text().split() if file.exists() else []
    file.unlink(missing_ok=True)
    return said
