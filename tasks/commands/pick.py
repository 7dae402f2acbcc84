"""Choose HLR candidates without a browser: writes picks/<combination>.yaml."""

import getpass
import sys
from typing import Annotated

import typer

from tasks.shared.merging import load_params, merge
from tasks.shared.paths import picks_path, run_folder
from tasks.shared.picks import pick_candidates, read_candidates, resolve_picks, scores_in_words, write_picks
from vd_core.errors import InputError


def main(
    combination: Annotated[str, typer.Argument(help="a name under params.yaml: combinations")],
    numbers: Annotated[list[int] | None, typer.Argument(help="the candidates' numbers; none: list the candidates, best first")] = None,
    name: Annotated[str | None, typer.Option(help="who chooses")] = None,
) -> None:
    """Write the choice to picks/<combination>.yaml, or list the candidates with their scores."""
    try:
        merged, folder = merge(load_params(), combination), run_folder(combination, "sample")
        if merged.finetune_from != combination:
            raise InputError(f"{combination} takes the finetuned subjects of {merged.finetune_from}; choose there")
        candidates = read_candidates(folder)
        if not numbers:
            print(folder / "sheet.jpg", *scores_in_words(merged.subjects, candidates), sep="\n")
            some = " ".join(str(n) for n in range(1, merged.hlr.min_picks + 1))
            print(f"choose {merged.hlr.min_picks} or more, for example: python -m tasks.commands.pick {combination} {some}")
            return
        picks = pick_candidates(candidates, numbers, name or name_user())
        resolve_picks(picks, candidates, merged.hlr.min_picks)
        write_picks(picks, picks_path(combination))
        print(f"{len(picks.picks)} picks written to {picks_path(combination)}")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


def name_user() -> str:
    """The login's name; InputError in a container whose user number has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise InputError("this user has no name; say who chooses: --name") from None


if __name__ == "__main__":
    typer.run(main)
