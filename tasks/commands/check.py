"""Before a run: what is well, what is doubtful, and what would stop it, all at once. Nothing is computed or fetched."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tasks.checks.everything import check_everything
from tasks.checks.finding import Finding

STYLES = {"ok": "green", "warning": "yellow", "stops": "bold red"}


def as_table(findings: list[Finding]) -> Table:
    """A row a finding."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        table.add_row(Text(finding.what), Text(finding.state, STYLES[finding.state]), Text(finding.said))
    return table


def main(combination: Annotated[str, typer.Argument(help="a name under params.yaml: combinations")]) -> None:
    """Check a combination before it is run. Exit code 1 if something would stop a run."""
    findings = check_everything(combination)
    Console(soft_wrap=False).print(as_table(findings))
    if any(finding.state == "stops" for finding in findings):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
