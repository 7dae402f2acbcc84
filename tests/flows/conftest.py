"""What the tests of the flow share."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from PIL import Image

import flows.full
from tasks.shared.yaml_files import overlay, read_yaml
from tests.helpers.candidates import write_candidates
from tests.helpers.params import write_plain_params
from tests.helpers.results import write_results


@pytest.fixture
def sampled_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where the sample stage has run and the others are played."""
    root = Path(flows.full.__file__).parents[1]
    write_plain_params(tmp_path)
    (tmp_path / "presets").mkdir()
    preset = overlay(read_yaml(root / "presets" / "toybox.yaml"), {"hlr": {"min_picks": 1}})
    (tmp_path / "presets" / "toybox.yaml").write_text(yaml.safe_dump(preset))
    shutil.copytree(root / "data" / "toys", tmp_path / "data" / "toys")
    (tmp_path / "models").symlink_to(root / "models")
    write_candidates(tmp_path / "runs" / "toys" / "sample", 4)
    rows = json.loads((tmp_path / "runs/toys/sample/candidates.json").read_text())
    for row in rows:
        row["figures"] = {"identity": [0.5, 0.25], "missing": 0, "stitched": False, "text_fidelity": 0.3, "rank_score": 0.25}
    (tmp_path / "runs/toys/sample/candidates.json").write_text(json.dumps(rows))
    Image.new("RGB", (8, 8)).save(tmp_path / "runs/toys/sample/sheet.jpg")
    write_results(tmp_path, ["a sks dog"])
    monkeypatch.setattr(flows.full, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path
