"""A whole run in 16 bits: in float16, as on GPUs without bfloat16, and in bfloat16."""

from pathlib import Path
from typing import Any

import pytest
from accelerate.state import AcceleratorState

from tasks.shared.picks import Picks, write_picks
from tasks.shared.sections import RenderSection, read_section
from tests.helpers.half import train_in_float16
from tests.helpers.workspace import EVENTS, LED, change_combination, run_stages


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("changes", [{}, LED, EVENTS], ids=["plain", "led by the clip", "events"])
def test_a_run_in_16_bits(workspace: Path, monkeypatch: pytest.MonkeyPatch, precision: str, changes: dict[str, Any]) -> None:
    AcceleratorState._reset_state()
    if precision == "fp16":
        train_in_float16(monkeypatch)
    change_combination({**changes, "precision": precision, "finetune": {"validation": {"every": 2}}})
    write_picks(Picks(approval="auto", chosen_by="the ranking", best=2), Path("picks/toys.yaml"))
    run_stages("mix", "finetune", "sample", "refinetune", "motion", "swap", "render", "encode", "evaluate", "export")
    AcceleratorState._reset_state()
    assert read_section("toys", "render", RenderSection).models.precision == precision
    assert len(list(Path("runs/toys/encode").glob("*.mp4"))) == 2 * len(changes.get("prompts", [0, 1, 2]))
