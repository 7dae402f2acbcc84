"""The page of everything in Chromium: from a file, without a network, by keyboard, on a phone and in the dark."""

from pathlib import Path

import pytest

from tasks.report.gather import gather
from tasks.report.page import build_page
from tasks.shared.picks import Picks, write_picks
from tasks.shared.sections import ExportSection, read_section
from tests.helpers.candidates import write_candidates
from tests.helpers.chromium import open_page
from tests.helpers.results import write_results
from tests.helpers.workspace import run_stages

pytestmark = pytest.mark.browser
SHOWN = "[...document.querySelectorAll('.clip')].map((c) => [...c.children].findIndex((i) => getComputedStyle(i).opacity === '1'))"
BAD = "[...document.images].filter((i) => !(i.complete && i.naturalWidth > 0) || !i.hasAttribute('alt')).length"


@pytest.fixture
def written(workspace: Path) -> Path:
    """A page about clips of two and of four frames."""
    run_stages("mix")
    write_candidates(Path("runs/toys/sample"), 3)
    write_picks(Picks(approval="auto", chosen_by="the ranking", best=1), Path("picks/toys.yaml"))
    write_results(Path(), ["in the snow", "on the beach"])
    run_stages("encode")
    Path("runs/toys/finetune").mkdir()
    Path("runs/toys/finetune/losses.csv").write_text("step,loss\n10,1.5\n20,0.5\n")
    section = read_section("toys", "export", ExportSection)
    Path("index.html").write_text(build_page("toys", section, gather("toys", "toys"), [("a.safetensors", "others")], "import this", ""))
    return Path("index.html").resolve()


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_the_videos_advance_in_step_and_obey_the_keyboard(written: Path, kind: str, tmp_path: Path) -> None:
    said: list[str] = []
    with open_page(tmp_path / "profile") as page:
        page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda request: said.append(request.url) if not request.url.startswith(("data:", "file:")) else None)
        page.context.set_offline(True)
        page.goto(written.as_uri())
        seen, pictures = set(), set()
        for _ in range(100):
            seen.add(tuple(page.evaluate(SHOWN)))
            pictures.add(page.locator(".clip").nth(1).screenshot())
            if len(seen) == len(pictures) == 4:
                break
        assert seen == {(n % 2, n, n % 2, n) for n in range(4)}  # columns of two and of four frames, always in step
        assert len(pictures) == 4  # what is seen on the screen changes too
        page.get_by_role("button", name="Pause").click()
        stopped = page.evaluate(SHOWN)
        page.wait_for_timeout(400)
        assert page.evaluate(SHOWN) == stopped
        page.locator("h1").click()
        page.keyboard.press("ArrowRight")
        assert page.evaluate(SHOWN)[1] == (stopped[1] + 1) % 4
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        assert page.evaluate(SHOWN)[1] == (stopped[1] - 1) % 4
        page.get_by_role("slider").fill("2")
        assert page.evaluate(SHOWN) == [0, 2, 0, 2] and page.locator("#where").inner_text() == "3 / 4"
        page.locator("h1").click()
        page.keyboard.press(" ")
        page.get_by_role("button", name="Pause").wait_for()
        assert page.evaluate(BAD) == 0 and said == []


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_a_phone_shows_it_in_the_dark_and_without_motion(written: Path, kind: str, tmp_path: Path) -> None:
    with open_page(tmp_path / "profile", 390, 844, color_scheme="dark", reduced_motion="reduce") as page:
        page.goto(written.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 390  # nothing is cut off at the side
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
        before = page.evaluate(SHOWN)
        page.wait_for_timeout(400)
        assert page.evaluate(SHOWN) == before  # who wants no motion presses Play
        with page.expect_download() as download:
            page.get_by_role("link", name="save as mp4").first.click()
        assert download.value.suggested_filename == "toys-text2video_zero-00.mp4"
        assert download.value.path().read_bytes() == Path("runs/toys/encode/text2video_zero-00.mp4").read_bytes()
