"""The project's own dvc.yaml with stages that compute nothing: for tests of what surrounds them.

A played stage writes, into every output that dvc.yaml declares, a hash of its section and of its inputs, so that an output changes where a real
one would. `settings` stays real; `mix` too, if wanted.
"""

import shutil
from pathlib import Path

import yaml

from tasks.shared.yaml_files import read_yaml

PLAY = """
import hashlib, json, sys, time
from pathlib import Path
import numpy as np
import yaml
from PIL import Image
from tasks.shared.picks import read_candidates, read_picks, resolve_picks
from vd_core.files import sha256_of

stage, name = sys.argv[1:]
with Path("calls.txt").open("a") as calls:
    calls.write(f"{stage}@{name}\\n")
do = yaml.safe_load(Path("dvc.yaml").read_text())["stages"][stage]["do"]
section = yaml.safe_load(Path(f"runs/{name}/settings.yaml").read_text())[stage]
if Path(f"slow-{stage}").exists():
    time.sleep(float(Path(f"slow-{stage}").read_text() or 8))
if Path(f"break-{stage}").exists():
    raise SystemExit("error: broken half-way")
digest = hashlib.sha256(json.dumps(section).encode())
owner = yaml.safe_load(Path("params.yaml").read_text())["combinations"][name]["finetune_from"]
for dep in (d.replace("${key}", name).replace("${item.finetune_from}", owner) for d in do["deps"] if d.startswith(("data/", "runs/", "picks/"))):
    files = sorted(p for p in [Path(dep), *Path(dep).rglob("*")] if p.is_file())
    for file in files:
        digest.update(file.name.encode() + file.read_bytes())
if stage == "refinetune":
    candidates = read_candidates(Path(f"runs/{name}/sample"))
    picks = resolve_picks(read_picks(Path(f"picks/{name}.yaml")), candidates, section["min_picks"])
for out in [next(iter(o)).replace("${key}", name) for o in [*do.get("outs", []), *do.get("metrics", [])]]:
    if Path(out).suffix:
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        if Path(out).suffix in (".jpg", ".png"):
            Image.frombytes("RGB", (5, 2), digest.digest()[:30]).save(out)
        else:
            Path(out).write_text(digest.hexdigest())
    else:
        Path(out).mkdir(parents=True, exist_ok=True)
        (Path(out) / "played.txt").write_text(digest.hexdigest())
folder = Path(f"runs/{name}/{stage}")
if stage == "sample":
    rows, start = [], section["sampling_round"] * 4
    for n in range(1, 5):
        pixels = np.random.default_rng(start + n).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{n:03d}.png")
        figures = {"identity": [0.5, 0.25], "missing": 0, "stitched": False, "text_fidelity": 0.3, "rank_score": 0.25}
        row = {"number": n, "file": f"{n:03d}.png", "sha256": sha256_of(folder / f"{n:03d}.png")}
        rows.append(row | {"prompt": "a", "seed": n, "figures": figures})
    (folder / "candidates.json").write_text(json.dumps(rows))
    Image.new("RGB", (64, 64)).save(folder / "sheet.jpg")
elif stage == "refinetune":
    (folder / "picked.json").write_text(json.dumps([sha256_of(p) for p in picks]))
elif stage == "render":
    (folder / "text2video_zero-00").mkdir(exist_ok=True)
    for n in range(2):
        Image.new("RGB", (16, 16), (n, n, n)).save(folder / f"text2video_zero-00/{n:03d}.png")
    row = {"video": "text2video_zero-00", "generator": "text2video_zero", "prompt": "a", "seed": 1}
    (folder / "videos.json").write_text(json.dumps([row]))
elif stage == "evaluate":
    (folder / "videos.json").write_text('{"text2video_zero-00": {"subject_fidelity": 0.5}}')
    Path(f"metrics/{name}.json").write_text('{"text2video_zero": {"subject_fidelity": 0.5}}')
"""


def play_stages(project: Path, combinations: list[str], real: tuple[str, ...] = ("settings",)) -> None:
    """Let all stages but the `real` ones be played in a project made by `build_project`, which then has these `combinations`."""
    (project / "play.py").write_text(PLAY)
    pipeline = yaml.safe_load((project / "dvc.yaml").read_text())
    for stage, body in pipeline["stages"].items():
        if stage not in real:
            body["do"]["cmd"] = f"python play.py {stage} ${{key}}"
    (project / "dvc.yaml").write_text(yaml.safe_dump(pipeline, sort_keys=False))
    for name in set(combinations) - {"toys"}:
        shutil.copytree(project / "data" / "toys", project / "data" / name)
    params = read_yaml(project / "params.yaml")
    params["combinations"] = {name: params["combinations"]["toys"] | {"finetune_from": name} for name in combinations}
    (project / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def calls(project: Path) -> list[str]:
    """The played stages that were really run since the last call of this."""
    file = project / "calls.txt"
    said = file.read_text().split() if file.exists() else []
    file.unlink(missing_ok=True)
    return said
