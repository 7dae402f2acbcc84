"""The result in the Prefect UI: moving pictures by prompt and generator, within the size that the UI takes."""

import base64
import io
import re
from pathlib import Path

import pytest
from PIL import Image

from flows.artifacts import FILES_URL, LARGEST_RESULT, describe_result
from tests.helpers.results import write_results


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def gifs_of(text: str) -> list[Image.Image]:
    return [Image.open(io.BytesIO(base64.b64decode(g))) for g in re.findall(r"data:image/gif;base64,([^)]*)", text)]


def test_each_prompts_videos_move_side_by_side(project: Path) -> None:
    write_results(project, ["a sks dog | a <car>", "in the snow"])
    text = describe_result("toys", 8)
    assert [(g.n_frames, g.width >= 192) for g in gifs_of(text)] == [
        (2, True),
        (4, True),
        (2, True),
        (4, True),
    ]  # 16 pixels would not be seen
    assert "**a sks dog \\| a &lt;car>**\n\n| Text2Video-Zero | AnimateDiff |" in text and "| ![text2video_zero-00](data:" in text
    assert text.count("\n\n| Text2Video-Zero | AnimateDiff |") == 2
    assert "| subject fidelity ↑ | 0.500 | 0.500 |" in text and "| missing rate ↓ | 0.250 | 0.250 |" in text
    assert "page: runs/toys/export/index.html\n" in text and "http" not in text


@pytest.mark.slow
def test_large_videos_are_made_smaller_until_they_fit(project: Path) -> None:
    write_results(project, ["one", "two", "three"], side=512)
    text = describe_result("toys", 8)
    gifs = gifs_of(text)
    assert len(gifs) == 6 and 48 <= gifs[0].width < 256
    assert LARGEST_RESULT / 3 < len(text) < LARGEST_RESULT + 10_000


def test_videos_that_do_not_fit_at_all_are_on_the_page(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_results(project, ["one", "two"], side=64)
    monkeypatch.setattr("flows.artifacts.LARGEST_RESULT", 30_000)
    text = describe_result("toys", 8)
    assert 1 <= len(gifs_of(text)) < 4 and "see the page" in text


def test_where_files_are_served_the_page_is_a_link(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_results(project, ["one"])
    monkeypatch.setenv(FILES_URL, "http://127.0.0.1:4321")
    assert "(http://127.0.0.1:4321/toys/export/index.html)" in describe_result("toys", 8)
