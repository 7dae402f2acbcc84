"""The form that a person fills in when HLR's candidates are ready."""

from datetime import datetime
from typing import Any, Literal

from prefect.input import RunInput
from pydantic import ConfigDict, Field, create_model

from flows.artifacts import link_to, show_picture
from flows.processes import name_user
from tasks.shared.picks import Candidate


def build_form(
    combination: str, candidates: list[Candidate], min_picks: int, deadline: datetime, problem: str | None = None
) -> type[RunInput]:
    """The sheet, a multi-select of its numbers, and a switch for other candidates; `problem` says why one is asked again."""
    numbers = tuple(str(c.number) for c in candidates)
    form = create_model(
        "Picks",
        __base__=build_ruled(min_picks),
        candidates=(
            list[Literal[numbers]],  # pyright: ignore[reportInvalidTypeForm]
            Field(default=[], max_length=len(candidates), description=f"the numbers of good pictures on the sheet, at least {min_picks}"),
        ),
        sample_again=(bool, Field(default=False, description="none is good: show other candidates. Choose no numbers then")),
        chosen_by=(str, Field(default=name_user() or "", min_length=1, description="your name, for the record")),
    )
    return form.with_initial_data(description=describe(combination, candidates, min_picks, deadline, problem))


def build_ruled(min_picks: int) -> type[RunInput]:
    """An input whose JSON schema, which is all that Prefect's server looks at, has the rule for an answer that counts."""
    enough: dict[str, Any] = {"properties": {"candidates": {"minItems": min_picks, "uniqueItems": True}}, "required": ["candidates"]}
    rule = {
        "if": {"properties": {"sample_again": {"const": True}}, "required": ["sample_again"]},
        "then": {"properties": {"candidates": {"maxItems": 0}}},
        "else": enough,
    }

    class Ruled(RunInput):
        model_config = ConfigDict(json_schema_extra=rule)

    return Ruled


def describe(combination: str, candidates: list[Candidate], min_picks: int, deadline: datetime, problem: str | None = None) -> str:
    """The form's text in Markdown, the contact sheet in it as a data: URI."""
    again = f"**Please choose again: {problem}.**\n\n" if problem else ""
    sheet = candidates[0].path.parent / "sheet.jpg"
    question = f"**Which pictures of {combination} are good?** Choose at least {min_picks}."
    full_size = f"{link_to(sheet, 'the sheet in full size')} (Ctrl-click keeps this form open)"
    legend = f"Without a number: your own pictures. With one: the candidates, best first by our metrics; {full_size}."
    until = f"Choose until {deadline:%Y-%m-%d %H:%M} UTC. Later, start the run again: finished stages come back from the cache, and you are asked again."
    return f"{again}{question} {legend}\n\n{show_picture(sheet)}\n\n{until}"
