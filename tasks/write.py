"""Text files that are never half written, and the tables that commands put into documents."""

import json
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> None:
    """Write a file aside and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".tmp")
    aside.write_text(text)
    aside.replace(path)


def write_json(path: Path, content: Any) -> None:
    """The same for plain values, as JSON."""
    write_text(path, json.dumps(content, indent=1) + "\n")


def fill_table(document: Path, marker: str, table: str) -> None:
    """Put a table between `<!-- marker -->` and `<!-- /marker -->`; ValueError if the document has no such place."""
    start, end = f"<!-- {marker} -->\n", f"<!-- /{marker} -->"
    before, opened, rest = document.read_text().partition(start)
    _, closed, after = rest.partition(end)
    if not (opened and closed):
        raise ValueError(f"{document} has no place marked {marker}")
    write_text(document, before + start + table + end + after)


def as_table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)
