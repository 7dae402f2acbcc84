"""A whole run whose networks lie on a GPU, which "meta" plays: whoever has one runs what no test can run on one here."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.shared import opening
from tasks.shared.picks import Picks, write_picks
from tests.helpers.other_device import OTHER, OtherDevice, train_there
from tests.helpers.workspace import EVENTS, LED, change_combination, run_stages


def test_the_played_gpu_refuses_what_a_gpu_refuses() -> None:
    here, there = torch.ones(3), torch.ones(3, device=OTHER)
    with OtherDevice():
        assert (there * torch.tensor(2.0) + there[torch.arange(3)]).device == OTHER
        assert there.cpu().tolist() == [1.0, 1.0, 1.0]
        for wrong in (lambda: here + there, lambda: torch.cat([here, there]), lambda: here[there.long()], lambda: here * there[0]):
            with pytest.raises(AssertionError, match="on the GPU and on the CPU"):
                wrong()
        with pytest.raises(AssertionError, match="generator of the CPU"):
            torch.randn(3, generator=torch.Generator(), device=OTHER)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:for .*copying from a non-meta parameter")
@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
@pytest.mark.parametrize("changes", [{}, LED, EVENTS], ids=["plain", "led by the clip", "events"])
def test_a_run_computes_where_its_networks_lie(workspace: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    """With the latents that one training keeps and the next one reads. Judges stay on the CPU."""
    train_there(monkeypatch)
    monkeypatch.setattr(opening, "choose_device", lambda _: OTHER)
    change_combination(changes)
    write_picks(Picks(approval="auto", chosen_by="the ranking", best=2), Path("picks/toys.yaml"))
    with OtherDevice():
        run_stages("mix", "finetune", "sample", "refinetune", "motion", "swap", "render", "encode", "evaluate")
    assert len(list(Path("runs/toys/encode").glob("*.mp4"))) == 2 * len(changes.get("prompts", [0, 1, 2]))
