"""Every stage on bases of the published widths with random weights, at 64 pixels: names, shapes, tokens and precision as people's bases have them."""

import json
import math
import shutil
from pathlib import Path

import pytest

from tasks.commands.fullsize import COMBINATION, hardware_rows, measure_base

STAGES = {
    "sd15": [
        *("settings", "mix", "finetune", "sample", "refinetune", "motion", "swap"),
        *("render text2video_zero", "render animatediff", "encode", "evaluate"),
    ],
    "sd21": ["settings", "mix", "finetune", "sample", "refinetune", "motion", "swap", "render text2video_zero", "encode", "evaluate"],
}
LAST = {"sd15": "animatediff", "sd21": "text2video_zero"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sd15", "sd21"])
def test_every_stage_on_a_base_of_the_published_widths(name: str, tmp_path: Path) -> None:
    measured = dict(measure_base(name, tmp_path, 8, "cpu"))
    assert list(measured) == STAGES[name]
    assert all(own["gigabytes"] > 0.2 and own["seconds"] > 0 for own in measured.values())
    run = tmp_path / "runs" / COMBINATION
    assert len(list((run / "encode").glob("*.mp4"))) == 1
    figures = json.loads((tmp_path / "metrics" / f"{COMBINATION}.json").read_text())
    assert list(figures) == [LAST[name]] and all(math.isfinite(v) for v in figures[LAST[name]].values())
    assert (run / "swap" / "pytorch_lora_weights.safetensors").stat().st_size > 10_000_000
    assert (run / "swap" / "motion_adapter").is_dir() == (name == "sd15")
    shutil.rmtree(tmp_path)  # 7 GB


def test_the_hardware_table_names_each_base_once() -> None:
    stage, light = {"seconds": 61.4, "gigabytes": 5.04}, {"seconds": 12.0, "gigabytes": 0.9}
    rows = hardware_rows(
        {"bases": {"sd15": {"settings": light, "mix": stage, "render text2video_zero": stage}, "sd21": {"mix": stage, "motion": light}}}
    )
    assert rows == [
        ["Stable Diffusion 1.5", "mix", "61 s", "5.0 GB"],
        ["", "render text2video zero", "61 s", "5.0 GB"],
        ["Stable Diffusion 2.1", "mix", "61 s", "5.0 GB"],
    ]
    assert hardware_rows({"bases": {"sd15": {"settings": light}}}) == []
