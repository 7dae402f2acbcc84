"""The form in which a person chooses, and what an answer means."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from prefect._internal.pydantic.v2_schema import create_v2_schema
from prefect.utilities.schema_tools.validation import build_error_obj, validate

from flows.approval import read_answer
from flows.artifacts import FILES_URL
from flows.form import build_form, describe
from tasks.shared.picks import read_candidates
from vd_core.errors import InputError


def test_the_form_shows_the_sheet_and_knows_the_numbers(sampled_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FILES_URL, "http://127.0.0.1:4321")
    candidates = read_candidates(Path("runs/toys/sample"))
    deadline = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
    text = describe("toys", candidates, 2, deadline, "no name was given")
    assert text.count("data:image/jpeg;base64,") == 1
    assert "[the sheet in full size](http://127.0.0.1:4321/toys/sample/sheet.jpg)" in text
    assert "Please choose again: no name was given." in text
    assert "2030-01-02 03:04 UTC" in text
    schema = build_form("toys", candidates, 2, deadline).model_json_schema()
    fields = schema["properties"]
    assert fields["candidates"]["items"]["enum"] == ["1", "2", "3", "4"]
    assert fields["candidates"]["default"] == []  # nothing is preselected
    assert all(field["description"] for field in fields.values())  # Prefect dropped the name's


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ({"candidates": ["1", "3"], "chosen_by": "Ann"}, None),
        ({"candidates": [], "sample_again": True, "chosen_by": "Ann"}, None),
        ({"candidates": ["1"], "chosen_by": "Ann"}, "candidates"),
        ({"candidates": ["1", "1"], "sample_again": False, "chosen_by": "Ann"}, "candidates"),
        ({"chosen_by": "Ann"}, "candidates"),
        ({"candidates": ["1", "3"], "sample_again": True, "chosen_by": "Ann"}, "candidates"),
        ({"candidates": ["1", "9"], "chosen_by": "Ann"}, "candidates"),
        ({"candidates": ["1", "3"], "chosen_by": ""}, "chosen_by"),
    ],
)
def test_the_form_itself_says_which_field_is_wrong(sampled_project: Path, answer: dict, wrong: str | None) -> None:
    """As the UI and the server check it: by the JSON schema alone."""
    form = build_form("toys", read_candidates(Path("runs/toys/sample")), 2, datetime.now(UTC))
    said = build_error_obj(validate(answer, create_v2_schema("Picks", model_base=form)))
    assert said["valid"] == (wrong is None)
    assert [error["property"] for error in said["errors"]] == [wrong] * (wrong is not None)


@pytest.mark.parametrize(
    ("chosen", "name", "problem"),
    [
        (["1"], "Ann", "1 picked; at least 2 are needed"),
        (["1", "2"], "  ", "nobody's name was given"),
    ],
)
def test_an_answer_that_means_no_choice(sampled_project: Path, chosen: list[str], name: str, problem: str) -> None:
    candidates = read_candidates(Path("runs/toys/sample"))
    with pytest.raises(InputError, match=problem):
        read_answer(chosen, name, candidates, 2)
    assert [p.number for p in read_answer(["4", "1", "4"], "Ann", candidates, 2).picks] == [1, 4]
