"""Cores: those that a process may use, and systems that do not say."""

import os

import pytest

from flows.runners import chosen
from tasks.shared.cores import usable_cores
from vd_core.errors import InputError


def test_a_mac_does_not_say_which_cores_a_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    assert usable_cores() == sorted(os.sched_getaffinity(0))
    monkeypatch.delattr("os.sched_getaffinity")
    assert usable_cores() == list(range(os.cpu_count()))


def test_pinning_is_refused_where_it_cannot_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("os.sched_setaffinity")
    with pytest.raises(InputError, match="pin keeps a worker"), chosen("threads", 1, None, True, 0):
        pass
    with chosen("threads", 1, None, False, 0):
        pass
