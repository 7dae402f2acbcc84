"""HLR's approval: the picks file, and the person who is asked."""

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Literal

from prefect import get_client, get_run_logger, runtime, suspend_flow_run

from flows.artifacts import publish_choice
from flows.form import build_form, describe
from flows.waiting import start_waiting
from tasks.shared.merging import load_params, merge
from tasks.shared.paths import picks_path, run_folder
from tasks.shared.picks import Candidate, Picks, digest_of, pick_candidates, read_candidates, read_picks, resolve_picks, write_picks
from vd_core.errors import InputError

Approval = Literal["ask", "auto", "skip"]


def approve(combination: str, approval: Approval, wait_days: float) -> bool:
    """See to it that `picks/<combination>.yaml` holds a choice among today's candidates; suspends the run to ask a person.

    False if the person wants other candidates.
    """
    logger = get_run_logger()
    min_picks = merge(load_params(), combination).hlr.min_picks
    candidates = read_candidates(run_folder(combination, "sample"))
    path = picks_path(combination)
    if approval != "ask":
        best = min_picks if approval == "auto" else None
        write_picks(Picks(approval=approval, chosen_by="the ranking" if best else "nobody", best=best), path)
        logger.info(f"approval={approval}: written to {path}")
    elif is_valid(path, candidates, min_picks):
        logger.info(f"{path} already holds a person's choice among these candidates")
    else:
        picks = ask(combination, candidates, min_picks, wait_days)
        if picks is None:
            return False
        write_picks(picks, path)
        logger.info(f"{picks.chosen_by} chose {[p.number for p in picks.picks]}: written to {path}")
    publish_choice(combination, candidates, read_picks(path))
    return True


def is_valid(path: Path, candidates: list[Candidate], min_picks: int) -> bool:
    """Whether a person's choice among exactly these candidates stands in `path`."""
    try:
        picks = read_picks(path)
        resolve_picks(picks, candidates, min_picks)
    except InputError:
        return False
    return picks.approval == "person"


def ask(combination: str, candidates: list[Candidate], min_picks: int, wait_days: float) -> Picks | None:
    """Suspend the run until a person has chosen well; None if they want other candidates.

    A resumed run comes here again from the flow's top and gets the answers given so far one after the other. Each is kept under a key made of the
    candidates' digest, so an answer counts for the candidates that were shown, and for no others.
    """
    if runtime.deployment.id is None:
        numbers = " ".join(str(n) for n in range(1, min_picks + 1))
        raise InputError(
            f"nobody can be asked in a run without a server: look at runs/{combination}/sample/sheet.jpg, choose with "
            f"'python -m tasks.commands.pick {combination} {numbers}', and run again (or take --approval auto)"
        )
    logger, digest, problem, asked = get_run_logger(), digest_of(candidates), None, read_asked()
    if asked and not any(key.startswith(digest) for key in asked):
        logger.warning("an earlier choice in this run was made on other candidates than today's; it does not count for these")
    deadline = datetime.now(UTC) + timedelta(days=wait_days)
    for attempt in count(1):
        key = f"{digest}-{attempt}"
        if key not in asked:  # otherwise the answer is there, and suspending returns it at once
            logger.info(f"waiting until {deadline:%Y-%m-%d %H:%M} UTC for a choice: press Resume at {runtime.flow_run.ui_url}")
            start_waiting(combination, describe(combination, candidates, min_picks, deadline, problem))
        form = build_form(combination, candidates, min_picks, deadline, problem)
        answer = suspend_flow_run(wait_for_input=form, timeout=round(timedelta(days=wait_days).total_seconds()), key=key)
        if answer.sample_again:
            return None
        try:
            return read_answer(answer.candidates, answer.chosen_by, candidates, min_picks)
        except InputError as error:
            problem = str(error)
            logger.warning(f"{problem}; asking again")
    raise AssertionError("count never ends")


def read_answer(chosen: list[str], chosen_by: str, candidates: list[Candidate], min_picks: int) -> Picks:
    """The picks that a filled form means; InputError says why it means none."""
    if not chosen_by.strip():
        raise InputError("nobody's name was given")
    picks = pick_candidates(candidates, [int(n) for n in chosen], chosen_by.strip())
    resolve_picks(picks, candidates, min_picks)
    return picks


def read_asked() -> set[str]:
    """The keys of the questions that this run has asked before."""
    with get_client(sync_client=True) as client:
        return client.read_flow_run(runtime.flow_run.id).empirical_policy.pause_keys or set()
