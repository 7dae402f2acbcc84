"""When a training writes down where it is."""

import time

import pytest

from vd_core.training import checkpoints
from vd_core.training.checkpoints import CheckpointClock


def test_writing_checkpoints_takes_a_small_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of motion modules one has 5 GB: on a rented disk every minute was half of the training."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    clock = CheckpointClock()
    now = checkpoints.SECONDS + 1
    assert clock.is_due()
    with clock.writing():
        now += 30
    written = now
    now = written + 30 / checkpoints.SHARE - 1
    assert not clock.is_due()
    now = written + 30 / checkpoints.SHARE + 1
    assert clock.is_due()
    with clock.writing():
        now += 0.1
    now += checkpoints.SECONDS + 1
    assert clock.is_due()
