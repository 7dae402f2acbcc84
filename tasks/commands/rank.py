"""`python -m tasks.commands.rank build|collect`: the paper's human study (Table V): people rank the methods' videos of one prompt."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tasks.ranking.building import build_study
from tasks.ranking.collecting import read_answers, read_key, summarise
from tasks.shared.exits import leave
from vd_core.errors import InputError
from vd_core.files import write_json

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
ASKED = 10
"""Prompts that each person sees, as in the paper."""


@app.command()
def build(
    page: Annotated[Path, typer.Argument(help="the page to write, such as study.html")],
    method: Annotated[list[str], typer.Option(help='a method and its finished combination, such as "VideoDreamer=pets"; two or more')],
    asked: Annotated[int, typer.Option(min=1, help="prompts that each person sees")] = ASKED,
) -> None:
    """Write one self-contained page, and its key, which stays with you."""
    try:
        combinations = split_methods(method)
        count = build_study(combinations, page, asked)
    except InputError as error:
        leave(f"error: {error}", 1)
    size = page.stat().st_size / 1e6
    print(
        f"{page}: {count} prompts, {len(combinations)} methods, {size:.1f} MB; send it to people. {page.with_suffix('.key.json')} stays here."
    )
    print(f"then: python -m tasks.commands.rank collect {page.with_suffix('.key.json')} answers/*.json")


def split_methods(texts: list[str]) -> dict[str, str]:
    """ "VideoDreamer=pets" as method and combination, for at least two methods."""
    pairs = [text.partition("=") for text in texts]
    if wrong := [text for text, (name, _, combination) in zip(texts, pairs, strict=True) if not (name.strip() and combination.strip())]:
        raise InputError(f"--method '{wrong[0]}' is not name=combination; write, for example, VideoDreamer=pets")
    found = {name.strip(): combination.strip() for name, _, combination in pairs}
    if len(found) < 2 or len(found) < len(texts):
        raise InputError("--method: give two or more, each under its own name")
    return found


@app.command()
def collect(
    key: Annotated[Path, typer.Argument(help="the .key.json that build wrote")],
    answers: Annotated[list[Path], typer.Argument(help="the files that people saved")],
    out: Annotated[Path | None, typer.Option(help="write the figures here too, as JSON")] = None,
) -> None:
    """Mean ranks with intervals, and agreement."""
    try:
        report = summarise(read_answers(answers, read_key(key)))
    except InputError as error:
        leave(f"error: {error}", 1)
    table = Table("method", "mean rank, 1 is best", "95% interval")
    for name, row in sorted(report["mean_rank"].items(), key=lambda item: item[1]["value"]):
        table.add_row(name, f"{row['value']:.2f}", "{:.2f} to {:.2f}".format(*row["ci95"]))
    Console().print(table)
    said = report["agreement"]
    print(
        f"{report['people']} people, {report['answers']} rankings; Kendall's W {said['kendalls_w']:.2f}, by chance with p {said['p']:.2g}"
    )
    if out:
        write_json(out, report)


if __name__ == "__main__":
    app()
