"""How a command ends badly."""

import sys
from typing import NoReturn

import typer


def leave(said: str, code: int) -> NoReturn:
    """Print one line and exit."""
    print(said, file=sys.stderr, flush=True)
    raise typer.Exit(code) from None
