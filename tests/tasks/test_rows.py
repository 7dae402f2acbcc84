"""The rows that git keeps of a study."""

from pathlib import Path

import pytest

from tasks.studies.rows import read_kept, write_rows
from vd_core.errors import InputError


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    rows = {
        "disen_mix": [
            {"combination": "cat3_dog3", "training_seed": 0, "prompt": "", "kind": "bare", "binding": 0.5, "blend": None},
            {"combination": "=1+1", "training_seed": -1, "prompt": 'says "hello, none", 3', "kind": "both", "binding": 1.0, "drift": 1e-9},
        ],
        "plain, regions": [{"combination": "12", "training_seed": 7}],
    }
    path = tmp_path / "metrics" / "rows.csv"
    write_rows(rows, path)
    assert read_kept(path) == rows
    first = path.read_bytes()
    write_rows(read_kept(path), path)
    assert path.read_bytes() == first


def test_numbers_keep_their_last_bit_and_their_kind(tmp_path: Path) -> None:
    numbers = {"a": 0.1 + 0.2, "b": 1.0, "c": 1, "d": 1e-17}
    write_rows({"x": [numbers]}, tmp_path / "rows.csv")
    found = read_kept(tmp_path / "rows.csv")["x"][0]
    assert found == numbers and [type(v) for v in found.values()] == [float, float, int, float]


def test_rows_that_nobody_kept_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="rows.csv is missing"):
        read_kept(tmp_path / "rows.csv")
