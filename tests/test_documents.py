"""What the documents name exists: links, modules, targets, files."""

import re
from pathlib import Path

import pytest
from PIL import Image

from tasks.commands.document import draw_strip
from tests.helpers.pictures import noise_picture

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "models/toybox/README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_what_a_document_names_exists(document: Path) -> None:
    text = document.read_text()
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if not link.startswith(("http", "#"))]
    assert not [link for link in links if not (document.parent / link).exists()]
    modules = [m for m in re.findall(r"python -m ((?:tasks|flows)[\w.]*)", text) if "<" not in m]
    assert not [m for m in modules if not (ROOT / m.rstrip(".").replace(".", "/")).with_suffix(".py").is_file() and m != "tasks."]
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert not [t for t in re.findall(r"`make ([\w-]+)`", text) if t not in targets]
    paths = re.findall(r"`((?:vd_core|tasks|flows|tests|presets|docs|benchmarks)/[\w/.-]+\.(?:py|yaml|md|png))`", text)
    assert not [p for p in paths if not (ROOT / p).exists()]


def test_the_strip_shows_its_groups_side_by_side() -> None:
    red = Image.new("RGB", (64, 64), "red")
    strip = draw_strip({"given": [noise_picture(i, (64, 64)) for i in range(2)], "video": [red]})
    colours = [strip.getpixel((x, strip.height - 20)) for x in range(strip.width)]
    assert (255, 0, 0) in colours[strip.width // 2 :] and (255, 0, 0) not in colours[: strip.width // 2]
