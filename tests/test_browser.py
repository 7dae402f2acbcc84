"""A person with a mouse: two candidates chosen in the Prefect UI, in Debian's Chromium, with real stages on a random base."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.live import Live
from tests.project import build_project

pytestmark = pytest.mark.browser
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    live = Live(build_project(tmp_path_factory.mktemp("project")), tmp_path_factory.mktemp("prefect"))
    live.start_server()
    live.start_serving()
    yield live
    live.close()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    chromium = shutil.which("chromium")
    assert chromium, "install Debian's chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            tmp_path, executable_path=chromium, args=QUIET, viewport={"width": 1280, "height": 1000}
        )
        yield browser.new_page()
        browser.close()
