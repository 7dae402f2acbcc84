"""The form that a person fills in when HLR's candidates are ready."""

from datetime import datetime
from typing import Literal

from prefect.input import RunInput
from pydantic import Field, create_model

from flows.artifacts import as_markdown
from flows.processes import name_user
from tasks.shared.params import load_params
from tasks.shared.picks import Candidate, scores_in_words

SAMPLE_AGAIN = "none of these: sample again"


def build_form(
    combination: str, candidates: list[Candidate], min_picks: int, deadline: datetime, problem: str | None = None
) -> type[RunInput]:
    """One numbered contact sheet, best first, the scores in words, and a multi-select of the numbers; `problem` says why one is asked again."""
    choices = (*(str(c.number) for c in candidates), SAMPLE_AGAIN)
    explanation = f"at least {min_picks} of the numbers on the sheet; or '{SAMPLE_AGAIN}', alone"
    form = create_model(
        "Picks",
        __base__=RunInput,
        candidates=(
            list[Literal[choices]],  # pyright: ignore[reportInvalidTypeForm]
            Field(min_length=1, max_length=len(candidates), description=explanation),
        ),
        chosen_by=(str, Field(min_length=1, description="your name, for the record")),
    )
    return form.with_initial_data(description=describe(combination, candidates, deadline, problem), chosen_by=name_user() or "")


def describe(combination: str, candidates: list[Candidate], deadline: datetime, problem: str | None = None) -> str:
    """The form's text in Markdown, the contact sheet in it as a data: URI."""
    names = load_params().combination(combination).subjects
    again = f"**Please choose again: {problem}.**\n\n" if problem else ""
    picture = as_markdown(candidates[0].path.parent / "sheet.jpg", "image/jpeg")
    question = f"**Which pictures of {combination} are good?** Best first by our metrics."
    until = f"Choose until {deadline:%Y-%m-%d %H:%M} UTC. Later, start the run again: finished stages come back from the cache, and you are asked again."
    return f"{again}{question} {until}\n\n{picture}\n\n" + "\n".join(f"- {line}" for line in scores_in_words(names, candidates))
