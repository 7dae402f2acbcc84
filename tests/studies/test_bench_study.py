"""What `bench --only study` writes: three keys, and all others stay."""

import json
from pathlib import Path

import pytest

from tasks.commands import bench, bench_study


def test_the_studys_keys_are_written_beside_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as fast with two workers, and a fifth of the rendering for scoring, from played runs."""
    asked = []

    def play(profile: str, workers: int) -> dict[str, float]:
        asked.append((profile, workers))
        return {"seconds": 100.0 / workers, "rendering": 50.0, "scoring": 10.0}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench_study, "run_study", play)
    bench.OUT.parent.mkdir()
    bench.OUT.write_text('{"train_vs_literal": {"ratio": 2.8}, "two_workers": 1.0}')
    bench.main(only="study")
    figures = json.loads(bench.OUT.read_text())
    assert asked == [("sample", 1), ("sample", 2), ("quick", 2)]
    assert figures["train_vs_literal"] == {"ratio": 2.8}
    assert (figures["two_workers"], figures["scoring_share"]) == (2.0, 0.2) and figures["quick_profile_minutes"] >= 0


def test_a_study_that_fails_gives_no_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its exit code counts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench_study, "sys", type("Played", (), {"executable": "false"}))
    with pytest.raises(bench_study.InputError, match="did not run to its end"):
        bench_study.run_study("sample", 1)
