"""HLR's approval: the person who is asked, the picks file that comes of it, and the same from the command line."""

import getpass
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from prefect import get_run_logger, runtime, suspend_flow_run
from prefect.input import RunInput
from pydantic import Field, create_model

from flows.artifacts import as_markdown
from vd_core.config import load_params
from vd_core.errors import InputError
from vd_core.picks import Candidate, Picks, pick_candidates, read_candidates, read_picks, resolve_picks, write_picks

Approval = Literal["ask", "auto", "skip"]
WAIT_SECONDS = 7 * 24 * 3600


def picks_path(combination: str) -> Path:
    """Where a combination's picks stand."""
    return Path("picks") / f"{combination}.yaml"


def approve(combination: str, approval: Approval) -> None:
    """See to it that `picks/<combination>.yaml` holds a choice among today's candidates; suspends the run to ask a person."""
    logger = get_run_logger()
    min_picks = load_params().hlr.min_picks
    candidates = read_candidates(Path("runs") / combination / "sample")
    path = picks_path(combination)
    if approval != "ask":
        best = min_picks if approval == "auto" else None
        write_picks(Picks(approval=approval, chosen_by="the ranking" if best else "nobody", best=best), path)
        logger.info(f"approval={approval}: written to {path}")
        return
    if is_valid(path, candidates, min_picks):
        logger.info(f"{path} already holds a person's choice among these candidates")
        return
    if runtime.deployment.id is None:
        raise InputError(
            f"nobody can be asked in a run without a server: look at runs/{combination}/sample/sheet.jpg, choose with "
            f"'python -m flows.approval pick {combination} 1 2', and run again (or take --approval auto)"
        )
    logger.info(f"waiting for a choice among {len(candidates)} candidates: press Resume on this run in the Prefect UI")
    answer = suspend_flow_run(wait_for_input=build_form(combination, candidates, min_picks), timeout=WAIT_SECONDS)
    numbers = [int(n) for n in answer.candidates]
    write_picks(pick_candidates(candidates, numbers, answer.chosen_by, now()), path)
    logger.info(f"{answer.chosen_by} chose {sorted(numbers)}: written to {path}")


def is_valid(path: Path, candidates: list[Candidate], min_picks: int) -> bool:
    """Whether a person's choice among exactly these candidates stands in `path`."""
    try:
        picks = read_picks(path)
        resolve_picks(picks, candidates, min_picks)
    except InputError:
        return False
    return picks.approval == "person"


def build_form(combination: str, candidates: list[Candidate], min_picks: int) -> type[RunInput]:
    """The form: one numbered contact sheet, best first, the scores in words, and a multi-select of the numbers."""
    numbers = tuple(str(c.number) for c in candidates)
    form = create_model(
        "Picks",
        __base__=RunInput,
        candidates=(
            list[Literal[numbers]],  # pyright: ignore[reportInvalidTypeForm]
            Field(min_length=min_picks, max_length=len(numbers), description=f"at least {min_picks}; the numbers on the sheet"),
        ),
        chosen_by=(str, Field(min_length=1, description="your name, for the record")),
    )
    return form.with_initial_data(description=describe(combination, candidates), chosen_by=getpass.getuser())


def describe(combination: str, candidates: list[Candidate]) -> str:
    """The form's text in Markdown, the contact sheet in it as a data: URI."""
    picture = as_markdown(candidates[0].path.parent / "sheet.jpg", "image/jpeg")
    return f"**Which pictures of {combination} are good?** Best first by our metrics.\n\n{picture}\n\n" + "\n".join(
        f"- {line}" for line in scores_in_words(candidates)
    )


def scores_in_words(candidates: list[Candidate]) -> list[str]:
    """A line a candidate."""
    lines = []
    for c in candidates:
        identity = ", ".join(f"{v:.2f}" for v in c.figures["identity"])
        faults = [f"{c.figures['missing']} missing"] * bool(c.figures["missing"]) + ["stitched"] * c.figures["stitched"]
        lines.append(f"{c.number}: identity {identity}; text {c.figures['text_fidelity']:.2f}" + "".join(f"; {f}" for f in faults))
    return lines


def now() -> str:
    """The time, to the second, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


cli = typer.Typer(help="Choose HLR candidates without a browser.", add_completion=False)


@cli.command()
def show(combination: str) -> None:
    """List the candidates with their scores, best first."""
    folder = Path("runs") / combination / "sample"
    print(f"{folder / 'sheet.jpg'}")
    print("\n".join(scores_in_words(read_candidates(folder))))


@cli.command()
def pick(
    combination: str,
    numbers: Annotated[list[int], typer.Argument(help="the candidates' numbers")],
    name: Annotated[str | None, typer.Option(help="who chooses")] = None,
) -> None:
    """Write the choice to picks/<combination>.yaml."""
    candidates = read_candidates(Path("runs") / combination / "sample")
    picks = pick_candidates(candidates, numbers, name or getpass.getuser(), now())
    resolve_picks(picks, candidates, load_params().hlr.min_picks)
    write_picks(picks, picks_path(combination))
    print(f"{len(picks.picks)} picks written to {picks_path(combination)}")


if __name__ == "__main__":
    try:
        cli()
    except (InputError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
