"""benchmarks/multistudio: check both editions, and fetch the photographs of the real one into data/multistudio."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from tasks.shared.documents import as_table
from tasks.shared.exits import leave
from tasks.shared.paths import CACHE
from tasks.studies.plan import load_plan, read_tuning
from vd_core.bases.stable_diffusion import read_tokenizer
from vd_core.errors import InputError
from vd_core.inputs.prompts import check_prompts, extended_prompt, scene_prompt
from vd_core.inputs.subjects import Subject
from vd_core.settings import Part
from vd_core.studies.fetching import download, unpack
from vd_core.studies.multistudio import Edition, PhotographedSubject, load_edition, select
from vd_core.studies.multistudio_toys import find_toy_faults
from vd_core.toybox.world.scenes import RARE_WORDS

EDITIONS = Path("benchmarks/multistudio")
BASE = Path("models/toybox")
TARGET = Path("data/multistudio")
ARCHIVES = CACHE / "multistudio"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@contextmanager
def one_line() -> Iterator[None]:
    """An InputError is one line and exit code 1."""
    try:
        yield
    except InputError as error:
        leave(f"error: {error}", 1)


@app.command()
def check() -> None:
    """Check both editions, and say what they hold."""
    with one_line():
        editions = {name: load_edition(EDITIONS / f"{name}.yaml") for name in ("real", "toybox")}
        used = {about.looks for own in read_tuning(load_plan()).combinations.values() for about in own.values()}
        faults = find_toy_faults(editions["toybox"], used)
        if faults:
            raise InputError(f"{EDITIONS / 'toybox.yaml'}: {faults[0]}" + (f" (and {len(faults) - 1} more)" if faults[1:] else ""))
        check_lengths(editions["toybox"])
        print(describe(editions), end="")


def check_lengths(edition: Edition) -> None:
    """InputError if the embedded base would read only the beginning of a prompt."""
    tokenizer = read_tokenizer(Part(str(BASE), None))
    for name, own in select(edition, "full").combinations.items():
        subjects = [Subject(s, about.class_noun, token, Path()) for (s, about), token in zip(own.items(), RARE_WORDS, strict=False)]
        said = {f"combinations.{name}": extended_prompt(subjects)}
        said |= {f"{name}: {p.text}": scene_prompt(subjects, p.text) for p in select(edition, "full").prompts}
        check_prompts(said, tokenizer)


def describe(editions: dict[str, Edition]) -> str:
    """A table of what is in each profile."""
    rows = []
    for name, edition in editions.items():
        for profile in ("quick", "full"):
            chosen = select(edition, profile)
            subjects = {s for own in chosen.combinations.values() for s in own}
            counts = (len(subjects), len(chosen.combinations), len(chosen.prompts), len(chosen.seeds), chosen.videos)
            rows.append([name, profile, *map(str, counts)])
    return as_table(["edition", "profile", "subjects", "combinations", "prompts", "seeds", "videos a method"], rows)


@app.command()
def fetch(
    by_hand: Annotated[
        list[str] | None,
        typer.Option("--archive", help="SOURCE=FILE: a source's zip that you have, such as customconcept101=benchmark_dataset.zip"),
    ] = None,
) -> None:
    """Fetch the real edition's photographs into data/multistudio, a folder a subject. Subjects that are there stay as they are."""
    with one_line():
        edition = load_edition(EDITIONS / "real.yaml")
        archives = dict(read_pair(pair, edition) for pair in by_hand or ())
        wanted = {n: s for n, s in edition.subjects.items() if isinstance(s, PhotographedSubject) and not (TARGET / n).exists()}
        for source in dict.fromkeys(s.source for s in wanted.values()):
            own = {name: s for name, s in wanted.items() if s.source == source}
            archive = archives.get(source) or find_archive(edition, source)
            if archive is None:
                how = f"run '{edition.sources[source].by_hand}', then this again with --archive {source}=<the zip>"
                print(f"{len(own)} subjects of {source} are left out: {how}")
                continue
            for name, subject in own.items():
                count = unpack(archive, edition.sources[source].root, subject.folder, subject.class_noun, TARGET / name)
                print(f"{TARGET / name}: {count} pictures ({subject.license})")


def read_pair(pair: str, edition: Edition) -> tuple[str, Path]:
    """SOURCE=FILE, both of which are there."""
    source, _, file = pair.partition("=")
    if source not in edition.sources:
        raise InputError(f"--archive {pair}: there is no source '{source}'; choose from {', '.join(edition.sources)}")
    path = Path(file).expanduser()
    if not path.is_file():
        raise InputError(f"--archive {pair}: {path} is no file; correct the path")
    return source, path


def find_archive(edition: Edition, source: str) -> Path | None:
    """A source's archive, fetched if it is not in the cache; None if it has to be fetched by hand."""
    about, path = edition.sources[source], ARCHIVES / f"{source}.zip"
    if about.archive is None:
        return None
    if not path.is_file():
        with tqdm(desc=about.name, unit="B", unit_scale=True) as progress:
            download(about.archive, path, told=progress.update)
    return path


if __name__ == "__main__":
    app()
