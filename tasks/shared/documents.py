"""The tables that commands put into documents."""

from pathlib import Path

from vd_core.files import write_text


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
