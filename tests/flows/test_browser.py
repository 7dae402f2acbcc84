"""A person with a mouse: two candidates chosen in the Prefect UI, in Debian's Chromium, with real stages on a random base."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Page

from tasks.shared.picks import read_candidates, read_picks
from tests.helpers.chromium import open_page
from tests.helpers.live import Live
from tests.helpers.project import build_project, run

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    live = Live(build_project(tmp_path_factory.mktemp("project")), tmp_path_factory.mktemp("prefect"))
    live.start_server()
    live.start_serving()
    yield live
    live.close()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with open_page(tmp_path) as page:
        yield page


def resume_by_mouse(page: Page, live: Live, flow_run: UUID, numbers: tuple[str, ...]) -> None:
    """What a person does: open the run, ⋮, Resume, choose numbers, Resume."""
    page.goto(f"{live.url}/v2/runs/flow-run/{flow_run}")
    page.get_by_role("button", name="Open menu").click(timeout=60_000)
    page.get_by_role("menuitem", name="Resume").click()
    dialog = page.get_by_role("dialog")
    sheet = dialog.get_by_role("img", name="sheet")
    sheet.wait_for()
    assert sheet.evaluate("image => image.complete && image.naturalWidth > 200")
    dialog.get_by_role("button", name="Resume").click()  # with nothing chosen the form stays
    assert live.state(flow_run) == "Suspended"
    dialog.get_by_role("button", name="Select Candidates").click()
    for number in numbers:
        page.get_by_role("option", name=number, exact=True).click()
    page.keyboard.press("Escape")
    dialog.get_by_role("button", name="Resume").click()
    dialog.wait_for(state="hidden")


def test_two_pictures_picked_by_mouse(live: Live, page: Page) -> None:
    flow_run = live.run_deployment(combination="toys", approval="ask")
    live.wait_for_question(flow_run, 1)
    shown = {c.number: c.sha256 for c in read_candidates(live.project / "runs/toys/sample")}
    resume_by_mouse(page, live, flow_run, ("1", "3"))
    live.wait_for_state(flow_run, "Completed", seconds=900)
    learnt = json.loads((live.project / "runs/toys/refinetune/picked.json").read_text())
    assert [p["sha256"] for p in learnt] == [shown[1], shown[3]]
    picks = read_picks(live.project / "picks/toys.yaml")
    assert (picks.approval, [p.number for p in picks.picks]) == ("person", [1, 3])
    assert {live.stage_states(flow_run)[s] for s in ("mix", "finetune", "sample")} == {"Cached"}
    page.goto(f"{live.url}/v2/runs/flow-run/{flow_run}?tab=Artifacts")
    page.get_by_text("toys-choice").first.wait_for(timeout=60_000)
    page.get_by_text("toys-result").first.wait_for(timeout=60_000)
    assert (live.project / "runs/toys/export/index.html").is_file()
    assert "Data and pipelines are up to date." in run(sys.executable, "-m", "dvc", "repro", cwd=live.project).stdout
