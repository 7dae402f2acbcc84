"""A person at the study's page, in Chromium: keys, a mouse that drags, a finger; what is saved is what was chosen."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page
from typer.testing import CliRunner

from tasks.commands.rank import app
from tasks.ranking.collecting import read_answers, read_key, summarise
from tests.helpers.chromium import open_page
from tests.helpers.study import PROMPTS, TRUTH, write_truth

pytestmark = pytest.mark.browser


@pytest.fixture(params=[(1280, False), (390, True)], ids=["desk", "phone"])
def page(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    width, has_touch = request.param
    monkeypatch.chdir(tmp_path)
    write_truth()
    assert CliRunner().invoke(app, ["build", "study.html", *(f"--method={m}={c}" for m, c in TRUTH.items())]).exit_code == 0
    with open_page(tmp_path / "profile", width, 900, has_touch=has_touch, accept_downloads=True) as page:
        page.context.set_offline(True)
        page.goto((tmp_path / "study.html").as_uri())
        yield page


def in_true_order(page: Page, key: dict) -> list[Locator]:
    """The cards on the screen, the best method's first, as the key knows them."""
    methods = {name: method for videos in key["videos"].values() for name, method in videos.items()}
    cards = page.locator(".card").all()
    return sorted(cards, key=lambda card: list(TRUTH).index(methods[card.get_attribute("data-id") or ""]))


def rank_by_keys(page: Page, cards: list[Locator]) -> None:
    for card in cards:
        page.keyboard.press(card.locator("div").inner_text().removeprefix("Video "))
    page.keyboard.press("Enter")


def rank_by_mouse(page: Page, cards: list[Locator]) -> None:
    """Drag each to its place, from the last to the first."""
    for place, card in reversed(list(enumerate(cards))):
        card.scroll_into_view_if_needed()
        start, end = card.bounding_box(), page.locator(".slot").nth(place).bounding_box()
        assert start and end
        page.mouse.move(start["x"] + 30, start["y"] + 30)
        page.mouse.down()
        page.mouse.move(end["x"] + end["width"] / 2, end["y"] + end["height"] / 2, steps=5)
        page.mouse.up()
    page.get_by_role("button", name="Next").click()


def rank_by_finger(page: Page, cards: list[Locator]) -> None:
    """Tap the wrong one first, and take it back."""
    cards[1].tap()
    cards[1].tap()
    for card in cards:
        card.tap()
    page.get_by_role("button", name="Next").tap()


def test_a_played_study_says_what_its_players_chose(page: Page, request: pytest.FixtureRequest) -> None:
    key = json.loads(Path("study.key.json").read_text())
    is_phone = "phone" in request.node.name
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.wait_for_function("[...document.querySelectorAll('video')].every(v => v.currentTime > 0.2)")
    assert page.locator("#prompt").inner_text() in key["prompts"].values()
    assert page.get_by_role("button", name="Next").is_disabled()
    ways = [rank_by_finger, rank_by_keys, rank_by_finger] if is_phone else [rank_by_keys, rank_by_mouse, rank_by_keys]
    for number, way in enumerate(ways):
        assert page.get_by_role("progressbar").get_attribute("aria-valuenow") == str(round(100 * number / len(PROMPTS)))
        way(page, in_true_order(page, key))
    with page.expect_download() as download:
        page.get_by_role("button", name="Save answers").click()
    download.value.save_as("answers.json")
    report = summarise(read_answers([Path("answers.json")], read_key(Path("study.key.json"))))
    assert {m: row["value"] for m, row in report["mean_rank"].items()} == {m: i + 1 for i, m in enumerate(TRUTH)}
    assert report["answers"] == len(PROMPTS) and report["agreement"]["kendalls_w"] == 1
