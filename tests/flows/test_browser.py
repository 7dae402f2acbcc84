"""A person who chooses in the Prefect UI, with a thumb and with a mouse, in Debian's Chromium, with real stages on a random base."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from playwright.sync_api import Locator, Page

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


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Page]:
    with open_page(tmp_path, 390, 844, is_mobile=True, has_touch=True) as page:
        yield page


def open_form(page: Page, live: Live, flow_run: UUID) -> Locator:
    """What a person does: open the run, ⋮, Resume; the form, with its sheet in it."""
    page.goto(f"{live.url}/v2/runs/flow-run/{flow_run}")
    page.get_by_role("button", name="Open menu").click(timeout=60_000)
    page.get_by_role("menuitem", name="Resume").click()
    form = page.get_by_role("dialog")
    sheet = form.get_by_role("img", name="sheet")
    sheet.wait_for(timeout=60_000)
    assert sheet.evaluate("image => image.complete && image.naturalWidth > 700")
    return form


def choose(page: Page, form: Locator, number: str) -> None:
    form.get_by_role("button", name="Select Candidates").click()
    page.get_by_role("option", name=number, exact=True).click()
    page.keyboard.press("Escape")


@pytest.fixture(scope="module")
def asked(live: Live) -> UUID:
    """A run that waits for a choice."""
    flow_run = live.run_deployment(combination="toys", approval="ask")
    live.wait_for_question(flow_run, 1, seconds=900)
    return flow_run


def test_other_candidates_are_asked_for_on_a_phone(live: Live, asked: UUID, phone: Page) -> None:
    before = [c.sha256 for c in read_candidates(live.project / "runs/toys/sample")]
    form = open_form(phone, live, asked)
    box = form.get_by_role("img", name="sheet").bounding_box()
    assert box and box["x"] >= 0 and 300 < box["width"] <= 390 - box["x"]
    form.get_by_role("switch").tap()
    form.get_by_role("button", name="Resume").tap()
    form.wait_for(state="hidden")
    live.wait_for_question(asked, 2, seconds=900)
    assert not set(before) & {c.sha256 for c in read_candidates(live.project / "runs/toys/sample")}


def test_two_pictures_picked_by_mouse(live: Live, asked: UUID, page: Page) -> None:
    flow_run, shown = asked, {c.number: c.sha256 for c in read_candidates(live.project / "runs/toys/sample")}
    form = open_form(page, live, flow_run)
    choose(page, form, "1")
    form.get_by_role("button", name="Resume").click()  # with too few chosen the form stays
    page.get_by_text("is too short").wait_for()
    assert live.state(flow_run) == "Suspended"
    choose(page, form, "3")
    form.get_by_role("button", name="Resume").click()
    form.wait_for(state="hidden")
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
