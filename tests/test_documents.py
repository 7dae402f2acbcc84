"""What the documents name exists: links, files, modules, Makefile targets, names in modules."""

import re
from pathlib import Path

import pytest

from tests.helpers.imports import ROOT

DOCUMENTS = [p.relative_to(ROOT) for p in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "models/toybox/README.md")]
DOCUMENTS += sorted(p.relative_to(ROOT) for p in [*(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.md")])
LINK = re.compile(r'\]\(([^)\s]+)\)|src="([^"]+)"')
MODULE = re.compile(r"python -m ([\w.]+)")
TARGET = re.compile(r"^[^\S\n]*make ([a-z][a-z-]*)|`make ([a-z][a-z-]*)`", re.MULTILINE)
FOLDERS = "vd_core|tasks|flows|tests|presets|docs"
PATH = re.compile(rf"`((?:{FOLDERS})/[^\s`]*)`")
NAMED = re.compile(r"`([\w/]+\.py)`: ((?:`[\w.]+`(?:, )?)+)")
OTHERS = {"prefect", "pip", "venv", "dvc", "pytest"}


def text_of(document: Path) -> str:
    return (ROOT / document).read_text()


def found(pattern: re.Pattern[str], text: str) -> list[str]:
    """What the pattern's one filled group holds, match by match."""
    return [next(group for group in match.groups() if group) for match in pattern.finditer(text)]


def missing_links(text: str, folder: Path) -> list[str]:
    """Relative links that lead nowhere."""
    links = [link.split("#")[0] for link in found(LINK, text) if not re.match(r"https?:|#|mailto:", link)]
    return [link for link in links if not (folder / link).exists()]


def missing_modules(text: str) -> list[str]:
    """Modules after `python -m` that are not in the tree; a `<stage>` counts as any."""
    modules = [m for m in MODULE.findall(text) if m.split(".")[0] not in OTHERS and not m.endswith(".")]
    return [m for m in modules if not (ROOT / m.replace(".", "/")).with_suffix(".py").is_file()]


def missing_targets(text: str, makefile: str) -> list[str]:
    """`make` targets that the Makefile does not have."""
    return [t for t in found(TARGET, text) if not re.search(rf"^{t}:", makefile, re.MULTILINE)]


def missing_paths(text: str) -> list[str]:
    """Paths in backticks that do not exist; one with <name> or * exists if anything of its form does."""
    paths = [re.sub(r"<[^>]*>", "*", p).rstrip("/") for p in PATH.findall(text)]
    return [p for p in paths if not any(ROOT.glob(p))]


def missing_names(text: str) -> list[str]:
    """Names after a module's path that the module does not define."""
    pairs = [(path, name) for path, names in NAMED.findall(text) for name in re.findall(r"`([\w.]+)`", names)]
    return [f"{path}: {name}" for path, name in pairs if not all(defines((ROOT / path).read_text(), part) for part in name.split("."))]


def defines(source: str, name: str) -> bool:
    """Whether a module's source has a function, class or constant of this name."""
    return bool(re.search(rf"^\s*(?:def|class) {name}\b|^{name}\b.*=", source, re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_what_a_document_names_exists(document: Path) -> None:
    text = text_of(document)
    assert not missing_links(text, (ROOT / document).parent)
    assert not missing_modules(text)
    assert not missing_targets(text, text_of(Path("Makefile")))
    assert not missing_paths(text)
    assert not missing_names(text)


def test_what_does_not_exist_is_found() -> None:
    """The checks above see the links, commands and paths of the old tree."""
    assert missing_links('[a](docs/gone.md) ![b](README.md) <img src="gone.png"> [c](https://example.org)', ROOT) == [
        "docs/gone.md",
        "gone.png",
    ]
    assert missing_modules("`python -m tasks.bench` and python -m tasks.commands.bench and python -m tasks.<stage>") == ["tasks.bench"]
    assert missing_targets("run `make demo` or\n  make nothing\n", "demo: x\n") == ["nothing"]
    assert missing_paths("`vd_core/training.py` `vd_core/training/loop.py` `presets/<base>.yaml` `tasks/shared/`") == [
        "vd_core/training.py"
    ]
    text = "`vd_core/training/losses.py`: `denoising_loss`, `gone`; `vd_core/inputs/subjects.py`: `Subject.instance_prompt`"
    assert missing_names(text) == ["vd_core/training/losses.py: gone"]


def test_the_index_names_every_document() -> None:
    """Readers cannot find a page that the index does not name."""
    index = text_of(Path("docs/README.md"))
    assert all(f"({p.name})" in index for p in DOCUMENTS if p.parent == Path("docs") and p.name != "README.md")


def test_a_modules_docstring_names_no_file_that_is_gone() -> None:
    """Docstrings pointed at rooms of the old tree."""
    sources = [p for folder in ("vd_core", "tasks", "flows") for p in (ROOT / folder).rglob("*.py")]
    pattern = re.compile(rf"(?<![\w/.])((?:{FOLDERS})/[\w/.-]*\.(?:py|md|yaml|png))")
    gone = {f"{p.relative_to(ROOT)}: {name}" for p in sources for name in pattern.findall(p.read_text()) if not (ROOT / name).is_file()}
    assert not gone
