"""Debian's Chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]


@contextmanager
def open_page(folder: Path, width: int = 1280, height: int = 1000, **options: Any) -> Iterator[Page]:
    """A page in a browser of its own, whose profile is in `folder`."""
    chromium = shutil.which("chromium")
    assert chromium, "install Debian's chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            folder, executable_path=chromium, args=QUIET, viewport={"width": width, "height": height}, **options
        )
        yield browser.new_page()
        browser.close()
