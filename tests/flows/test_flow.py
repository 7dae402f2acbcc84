"""The flow: the order of its stages, cached stages, failing ones, the approval; with stages played by small commands."""

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from PIL import Image
from prefect import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.testing.utilities import prefect_test_harness

import flows.full
import flows.reproduce
from flows.processes import start_group
from flows.quiet import LOGGERS, drop_traceback, say_everything
from flows.reproduce import StageError
from tasks.shared import paths
from tasks.shared.picks import pick_candidates, read_candidates, read_picks, resolve_picks, write_picks
from tasks.shared.yaml_files import read_yaml
from vd_core.errors import InputError

STAGES = list(paths.STAGES)


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=120):
        yield


def play(monkeypatch: pytest.MonkeyPatch, failing: str = "", cached: str = "") -> list[str]:
    """Replace DVC by a command that says what it would; the list fills with the stages asked for."""
    asked: list[str] = []

    def start(command: str, *arguments: str) -> subprocess.Popen:
        stage, combination = arguments[-1].split("@")
        if command == "checkout":
            assert arguments[-len(STAGES) :] == tuple(f"{s}@{combination}" for s in STAGES)
            return start_group(["true"], dict(os.environ), subprocess.PIPE)
        stage += f"@{combination}" * (combination != "toys")
        asked.append(stage)
        says = {failing: f"print('error: {stage} broke'); raise SystemExit(1)", cached: "print('Stage didn\\'t change, skipping')"}
        code = f"print('working {stage}'); " + says.get(stage, "print(' 50%|#####     | 1/2')")
        return start_group([sys.executable, "-c", code], dict(os.environ), subprocess.PIPE)

    monkeypatch.setattr(flows.reproduce, "start_dvc", start)
    return asked


def artifacts(key: str) -> int:
    """How many artifacts of a key there are on the server."""
    with get_client(sync_client=True) as client:
        return len(client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key]))))


def test_all_stages_in_order(sampled_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = play(monkeypatch, cached="finetune")
    metrics = flows.full.full("toys", "auto")
    assert asked == STAGES
    assert metrics["text2video_zero"]["subject_fidelity"] == 0.5
    picks = read_picks(Path("picks/toys.yaml"))
    assert picks.approval == "auto"
    assert artifacts("toys-result") == 1 and artifacts("toys-sample") == artifacts("toys-sample-progress") == 1
    assert [p.name for p in resolve_picks(picks, read_candidates(Path("runs/toys/sample")), 1)] == ["001.png"]


def test_the_subjects_of_another_combination_are_brought_up_to_date_first(sampled_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is finetuned in the one that takes them."""
    params = read_yaml(Path("params.yaml"))
    params["combinations"]["again"] = params["combinations"]["toys"] | {"motion_prompt": None}
    Path("params.yaml").write_text(yaml.safe_dump(params))
    Path("data/again").mkdir()
    shutil.copytree("runs/toys", "runs/again")
    shutil.copy("metrics/toys.json", "metrics/again.json")
    asked = play(monkeypatch)
    flows.full.full("again", "auto")
    assert asked == [*STAGES[:5], *(f"{s}@again" for s in STAGES)]
    assert not Path("picks/again.yaml").exists()


def test_a_failing_stage_stops_the_flow_with_its_own_word(sampled_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = play(monkeypatch, failing="sample")
    with pytest.raises(StageError, match=r"sample@toys: error: sample broke \(whole log: runs/toys/logs/sample.log\)"):
        flows.full.full("toys", "auto")
    assert Path("runs/toys/logs/sample.log").read_text().splitlines() == ["working sample", "error: sample broke"]
    assert asked == STAGES[:4]


def test_unknown_combination_stops_before_any_stage(sampled_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = play(monkeypatch)
    with pytest.raises(InputError, match="combinations has no 'toyz'"):
        flows.full.full("toyz", "auto")
    assert asked == []


def test_a_cached_stage_is_called_cached(sampled_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect import flow

    play(monkeypatch, cached="mix")

    @flow
    def two() -> list[str]:
        return [flows.reproduce.reproduce(s, "toys", return_state=True).name for s in ("mix", "finetune")]

    before = [artifacts(key) for key in ("toys-mix", "toys-mix-progress")]
    assert two() == ["Cached", "Completed"]
    assert before == [artifacts(key) for key in ("toys-mix", "toys-mix-progress")]


@pytest.mark.parametrize(("error", "kept"), [(InputError("wrong"), False), (StageError("wrong"), False), (RuntimeError("ours"), True)])
def test_tracebacks_of_errors_that_a_person_made_are_dropped(error: Exception, kept: bool) -> None:
    record = logging.LogRecord("prefect.flow_runs", logging.ERROR, "", 1, "failed", None, (type(error), error, None))
    assert drop_traceback(record)
    assert bool(record.exc_info) == kept


def test_without_a_server_nobody_can_be_asked(sampled_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = play(monkeypatch)
    with pytest.raises(InputError, match="nobody can be asked in a run without a server"):
        flows.full.full("toys", "ask")
    assert asked == STAGES[:4]
    write_picks(pick_candidates(read_candidates(Path("runs/toys/sample")), [2, 4], "Ann"), Path("picks/toys.yaml"))
    flows.full.full("toys", "ask")
    assert asked == STAGES[:4] + STAGES


def test_a_wait_for_another_run_is_said_once(
    sampled_project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It was said every few seconds, with DVC's advice to remove its lock."""
    from prefect import flow

    busy = "ERROR: failed to reproduce 'mix@toys': 'runs/toys/mix' is busy, it is being blocked by:\n(PID 12): dvc repro"
    replies = [f"print({busy!r}); raise SystemExit(1)"] * 3 + ["print('done')"]
    monkeypatch.setattr(
        flows.reproduce, "start_dvc", lambda *a: start_group([sys.executable, "-c", replies.pop(0)], dict(os.environ), subprocess.PIPE)
    )
    monkeypatch.setattr(flows.reproduce, "RETRY_SECONDS", 0.01)

    @flow
    def one() -> None:
        flows.reproduce.reproduce("mix", "toys")

    one()
    said = [r.getMessage() for r in caplog.records if r.levelno >= logging.INFO]
    assert [line for line in said if "PID" in line] == ["waits for another run that has what mix@toys needs: (PID 12): dvc repro"]
    assert not any("ERROR" in line for line in said)


BAR = "\rfinetuning:  {0}%|##5       | {1}/200 [00:10<00:30,  4.90step/s, loss=0.12{0}, samples=39.2/s]"


def test_a_training_says_how_far_it_is_and_shows_its_pictures(
    sampled_project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It was silent from its first step to its last; its sample pictures came after it had ended."""
    from prefect import flow

    progress = paths.checkpoint_folder("toys", "finetune")
    progress.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(progress / "00100.jpg")
    (progress / "validation.csv").write_text("step,score,best\n100,0.5,1\n")
    says = [
        BAR.format(0, 0),
        *(BAR.format(percent, percent * 2) for percent in (2, 25, 26, 50)),
        "\nfinetuning: validation after 100 steps: score 0.500\n",
    ]
    code = f"print({''.join(says)!r})"
    monkeypatch.setattr(
        flows.reproduce, "start_dvc", lambda *a: start_group([sys.executable, "-c", code], dict(os.environ), subprocess.PIPE)
    )
    monkeypatch.setattr("flows.progress.SAY_SECONDS", 0.0)

    @flow
    def one() -> None:
        flows.reproduce.reproduce("finetune", "toys")

    one()
    said = [r.getMessage() for r in caplog.records if "left" in r.getMessage()]
    assert said == [f"finetune of toys: {n} of 200, loss 0.12{n // 2}, 00:30 left" for n in (50, 100)]
    with get_client(sync_client=True) as client:
        shown = {a.key: a for a in client.read_artifacts()}
    assert shown["toys-finetune"].description == "finetune of toys, while it trains"
    assert "the newest after 100 steps" in shown["toys-finetune"].data and "data:image/jpeg" in shown["toys-finetune"].data
    assert shown["toys-finetune-progress"].data == 100.0


@pytest.mark.parametrize("debug", [False, True])
def test_dvcs_housekeeping_is_logged_only_with_debug(
    sampled_project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, debug: bool
) -> None:
    from prefect import flow

    code = "print('git add dvc.lock'); print('24 mixed pictures')"
    monkeypatch.setattr(
        flows.reproduce, "start_dvc", lambda *a: start_group([sys.executable, "-c", code], dict(os.environ), subprocess.PIPE)
    )
    levels = {name: logging.getLogger(name).level for name in LOGGERS}

    @flow
    def one() -> None:
        if debug:
            say_everything()
        flows.reproduce.reproduce("mix", "toys")

    one()
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    said = [r.getMessage() for r in caplog.records]
    assert "24 mixed pictures" in said and ("git add dvc.lock" in said) == debug


def test_a_folder_without_git_is_said_what_to_do(tmp_path: Path) -> None:
    """A ZIP from a forge has no .git."""
    with pytest.raises(InputError, match="clone the repository, or run 'git init' here"):
        flows.reproduce.require_git(tmp_path)
    (tmp_path / ".git").mkdir()
    flows.reproduce.require_git(tmp_path / "below")
