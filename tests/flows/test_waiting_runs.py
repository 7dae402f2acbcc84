"""Suspended runs on a real server: odd answers, kills, restarts, deadlines, changed files, two runs at once. The stages are played."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
import yaml

from tasks.shared.paths import STAGES
from tasks.shared.picks import read_candidates, read_picks
from tests.helpers.live import Live
from tests.helpers.played_stages import calls, play_stages
from tests.helpers.project import build_project, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One server and one serving process for all tests here."""
    project = build_project(tmp_path_factory.mktemp("project"))
    play_stages(project, ["toys", "pets"])
    live = Live(project, tmp_path_factory.mktemp("prefect"))
    live.start_server()
    live.start_serving()
    yield live
    live.close()


@pytest.fixture
def asked(live: Live) -> UUID:
    """A run that has sampled and waits for a choice."""
    (live.project / "picks" / "toys.yaml").unlink(missing_ok=True)
    run = live.run_deployment(combination="toys", approval="ask")
    live.wait_for_question(run, 1)
    calls(live.project)
    return run


def finish(live: Live, run: UUID) -> list[str]:
    """Wait for the run's end; the hashes that were re-finetuned on."""
    live.wait_for_state(run, "Completed")
    return json.loads((live.project / "runs/toys/refinetune/picked.json").read_text())


@contextmanager
def broken(live: Live, stage: str) -> Iterator[None]:
    """Within it the stage breaks half-way; other tests share the project, so that it never does afterwards."""
    switch = live.project / f"break-{stage}"
    switch.touch()
    try:
        yield
    finally:
        switch.unlink()


def hashes(live: Live, *numbers: int) -> list[str]:
    candidates = read_candidates(live.project / "runs/toys/sample")
    return [c.sha256 for c in candidates if c.number in numbers]


def test_odd_answers_are_refused_by_the_form_or_asked_again(live: Live, asked: UUID) -> None:
    """The form closed on too few numbers, and half a minute later the run asked again: who had gone away did not notice."""
    for wrong in ([], ["1"], ["1", "1"], ["9"], ["1", "2", "3", "4", "1"]):  # hlr.min_picks is 2
        reply = live.resume(asked, wrong)
        assert reply["status"] == "REJECT" and "candidates" in reply["details"]["reason"]
        assert live.state(asked) == "Suspended"
    assert live.resume(asked, ["1", "2"], sample_again=True)["status"] == "REJECT"
    live.resume(asked, ["1", "2"], chosen_by=" ")  # what the schema cannot say
    live.wait_for_question(asked, 2)
    live.wait_for_words(asked, "nobody's name was given; asking again")
    assert calls(live.project) == []
    assert live.resume(asked, ["2", "4"])["status"] == "ACCEPT"
    assert live.resume(asked, ["1", "3"])["status"] == "ABORT"  # resumed twice
    assert finish(live, asked) == hashes(live, 2, 4)
    assert read_picks(live.project / "picks/toys.yaml").chosen_by == "Ann"
    assert "sample@toys" not in calls(live.project)
    assert live.stage_states(asked)["sample"] == "Cached"


def test_a_run_shows_that_it_waits_and_no_longer(live: Live, asked: UUID) -> None:
    """Somebody's run waited, and the dashboard had a grey 2 in a corner."""

    def artifacts() -> list[str]:
        found = live.post("/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [str(asked)]}}, "sort": "CREATED_DESC"})
        return [a["key"] for a in found]

    shown = live.get(f"/flow_runs/{asked}")
    assert shown["name"] == "toys: choose pictures" and "waiting" in shown["tags"]
    assert artifacts()[0] == "toys-choose-here"
    live.resume(asked, ["1", "2"])
    finish(live, asked)
    shown = live.get(f"/flow_runs/{asked}")
    assert shown["name"] == "toys" and "waiting" not in shown["tags"]
    assert "toys-choose-here" not in artifacts() and artifacts().count("toys-choice") == 1


def test_none_of_these_samples_again(live: Live, asked: UUID) -> None:
    before = hashes(live, 1, 2, 3, 4)
    comment = "# kept"
    params = live.project / "params.yaml"
    params.write_text(f"{comment}\n" + params.read_text())
    live.resume(asked, [], sample_again=True)
    live.wait_for_question(asked, 2)
    assert not set(before) & set(hashes(live, 1, 2, 3, 4))
    assert params.read_text().startswith(comment)
    assert yaml.safe_load(params.read_text())["combinations"]["toys"]["sampling_round"] == 1
    assert calls(live.project) == ["sample@toys"]
    live.resume(asked, ["1", "2"])
    assert finish(live, asked) == hashes(live, 1, 2)


def test_server_and_worker_are_killed_while_the_run_waits(live: Live, asked: UUID) -> None:
    live.kill("serve")
    live.kill("server")
    live.start_server()
    live.start_serving()
    assert live.state(asked) == "Suspended"
    live.resume(asked, ["3", "1"])
    assert finish(live, asked) == hashes(live, 1, 3)
    assert not {"mix@toys", "finetune@toys", "sample@toys"} & set(calls(live.project))


def test_the_deadline_has_passed(live: Live) -> None:
    (live.project / "picks" / "toys.yaml").unlink(missing_ok=True)
    late = live.run_deployment(combination="toys", approval="ask", wait_days=2 / 86400)
    live.wait_for_question(late, 1)
    time.sleep(3)
    reply = live.resume(late, ["1", "2"])
    assert reply["status"] in ("REJECT", "ABORT")  # ABORT when the server's own clock has failed the run before anybody came
    assert re.search("timed out and can no longer resume|not paused", reply["details"]["reason"])
    assert live.state(late) == "Failed"
    calls(live.project)
    again = live.run_deployment(combination="toys", approval="ask")
    live.wait_for_question(again, 1)
    assert calls(live.project) == []  # nothing is done again
    live.resume(again, ["1", "2"])
    assert finish(live, again) == hashes(live, 1, 2)


def test_a_candidate_is_changed_while_the_run_waits(live: Live, asked: UUID) -> None:
    folder = live.project / "runs/toys/sample"
    first = (folder / "001.png").read_bytes()
    os.chmod(folder / "001.png", 0o644)
    (folder / "001.png").write_bytes(b"changed")
    picked = run(sys.executable, "-m", "tasks.commands.pick", "toys", "1", "2", cwd=live.project)
    assert picked.returncode == 1
    assert "001.png was changed since it was sampled" in picked.stderr
    (folder / "002.png").unlink()
    picked = run(sys.executable, "-m", "tasks.commands.pick", "toys", "2", "3", cwd=live.project)
    assert "002.png is gone since it was sampled" in picked.stderr
    live.resume(asked, ["1", "2"])
    assert finish(live, asked) == hashes(live, 1, 2)
    assert (folder / "001.png").read_bytes() == first  # the cache brought both back


def test_outputs_changed_by_hand_come_back(live: Live, asked: UUID) -> None:
    live.resume(asked, ["1", "2"])
    finish(live, asked)
    calls(live.project)
    for output in ("mix/subjects", "swap", "render"):
        (live.project / f"runs/toys/{output}/played.txt").unlink()
    (live.project / "runs/toys/render/played.txt").write_text("spoilt")
    again = live.run_deployment(combination="toys", approval="ask")  # the choice stands: nobody is asked
    finish(live, again)
    assert calls(live.project) == []
    played = STAGES[1:-1]
    assert all((live.project / f"runs/toys/{s}" / ("subjects" if s == "mix" else "") / "played.txt").is_file() for s in played)
    assert run(sys.executable, "-m", "dvc", "repro", cwd=live.project).stdout.count("Running stage '") <= len(STAGES)  # pets alone


def test_a_stage_that_breaks_leaves_the_last_good_output(live: Live, asked: UUID) -> None:
    before = (live.project / "runs/toys/refinetune/picked.json").read_bytes()
    with broken(live, "refinetune"):
        live.resume(asked, ["3", "4"])
        live.wait_for_state(asked, "Failed")
    live.wait_for_words(asked, "error: broken half-way")
    assert (live.project / "runs/toys/refinetune/picked.json").read_bytes() == before
    assert not list((live.project / "runs/toys/refinetune").parent.glob(".refinetune.old"))
    assert run(sys.executable, "-m", "dvc", "repro", "--single-item", "refinetune@toys", cwd=live.project).returncode == 0
    assert json.loads((live.project / "runs/toys/refinetune/picked.json").read_text()) == hashes(live, 3, 4)


def test_two_runs_at_once(live: Live) -> None:
    calls(live.project)
    for name in ("toys", "pets"):
        (live.project / f"data/{name}/notes.txt").write_text("changed")
    (live.project / "slow-mix").touch()
    toys = live.run_deployment(combination="toys", approval="auto")
    pets = live.run_deployment(combination="pets", approval="auto")
    same = live.run_deployment(combination="toys", approval="auto")
    for each in (toys, pets, same):
        live.wait_for_state(each, "Completed")
    (live.project / "slow-mix").unlink()
    ran = calls(live.project)
    assert ran.count("mix@toys") == ran.count("mix@pets") == 1
    assert subprocess.run(["git", "status", "--short"], cwd=live.project, check=True).returncode == 0
    assert all((live.project / f"metrics/{name}.json").is_file() for name in ("toys", "pets"))
