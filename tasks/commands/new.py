"""A new combination of your own pictures: data/<name>/ and its entry in params.yaml, or nothing at all."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from filelock import FileLock

from tasks.checks.adding import add_combination, check_new_name, entry_of
from tasks.checks.copying import Copied, copy_subject
from tasks.checks.given import find_photographs, look_at_clip
from tasks.checks.nouns import check_line, folder_names, split_subject
from tasks.shared.frames import check_frames
from tasks.shared.merging import load_params, merge_new
from tasks.shared.params import PARAMS, Merged
from tasks.shared.paths import data_folder
from vd_core.errors import InputError
from vd_core.inputs.scenes import read_scene, spoken_prompt
from vd_core.inputs.subjects import load_subjects


def main(
    name: Annotated[str, typer.Argument(help="what to call the combination: lower-case letters, digits, - and _")],
    prompt: Annotated[
        list[str],
        typer.Option(help='the scene alone, once a video: "are surfing in the ocean"; the subjects\' own names are put before it'),
    ],
    subject: Annotated[
        list[str] | None, typer.Option(help='noun=folder, once a subject: dog=~/Pictures/rex, "tabby cat"=~/Pictures/mia')
    ] = None,
    finetune_from: Annotated[
        str | None, typer.Option(help="instead of subjects: the combination whose finetuned subjects are taken, without training")
    ] = None,
    base: Annotated[str, typer.Option(help="a file of presets/: sd15, sd21, toybox")] = "sd15",
    motion: Annotated[Path | None, typer.Option(help="a clip whose motion you want; needs --motion-prompt")] = None,
    motion_prompt: Annotated[str | None, typer.Option(help='what the clip shows: "a man is skiing in the snow"')] = None,
    staged: Annotated[
        bool,
        typer.Option("--staged", help="beyond the paper: each subject is drawn alone first, and led along the clip's way, or as words say"),
    ] = False,
) -> None:
    """Copy your pictures into data/<name>/ and add the combination to params.yaml. Your own files stay as they are."""
    try:
        with FileLock(PARAMS.with_suffix(".lock.tmp")):
            if finetune_from is not None and not subject:
                create_from(name, finetune_from, prompt, motion, motion_prompt, staged)
            elif subject and finetune_from is None:
                create(name, base, subject, prompt, motion, motion_prompt, staged)
            else:
                raise InputError("give either --subject, once a subject, or --finetune-from")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


def create(
    name: str, base: str, subjects: list[str], prompts: list[str], motion: Path | None, motion_prompt: str | None, staged: bool = False
) -> None:
    """Check everything, copy aside, put it in place, and name it in params.yaml last."""
    params = load_params()
    check_new_name(name, params)
    check_texts(prompts, motion, motion_prompt)
    given = [split_subject(text) for text in subjects]
    names = folder_names([noun for noun, _ in given])
    entry = entry_of(name, base, names, [p.strip() for p in prompts], motion_prompt and motion_prompt.strip(), staged)
    merged = merge_new(params, name, entry)
    check_frames(merged, None)
    if len(names) > len(merged.placeholder_tokens):
        raise InputError(f"{len(names)} subjects were given; base {base} has words for {len(merged.placeholder_tokens)}")
    with copying(name) as aside:
        copied = [copy_subject(folder.expanduser(), noun, aside / own) for (noun, folder), own in zip(given, names, strict=True)]
        copy_clip(motion, aside, merged)
        put_in_place(name, aside, entry)
    report(name, merged, copied)
    track(name)


def create_from(name: str, owner: str, prompts: list[str], motion: Path | None, motion_prompt: str | None, staged: bool = False) -> None:
    """The same for a combination that takes the finetuned subjects of `owner`: its folder has the clip, if there is one, and says whose they are."""
    params = load_params()
    check_new_name(name, params)
    check_texts(prompts, motion, motion_prompt)
    own = params.combination(owner)
    if own.finetune_from != owner:
        raise InputError(f"{owner} takes its subjects from {own.finetune_from}; name that one")
    base = own.base or params.base
    entry = entry_of(owner, base, list(own.subjects), [p.strip() for p in prompts], motion_prompt and motion_prompt.strip(), staged)
    merged = merge_new(params, name, entry)
    check_frames(merged, None)
    with copying(name) as aside:
        aside.mkdir()
        (aside / "subjects.txt").write_text(f"The subjects are those of {data_folder(owner)}.\n")
        copy_clip(motion, aside, merged)
        put_in_place(name, aside, entry)
    report(name, merged, [])
    track(name)


def check_texts(prompts: list[str], motion: Path | None, motion_prompt: str | None) -> None:
    """InputError if a text is no single line, or a clip has no words or words have no clip."""
    if (motion is None) != (motion_prompt is None):
        raise InputError("--motion and --motion-prompt belong together; give both or none")
    for text in (*prompts, *([motion_prompt] if motion_prompt is not None else [])):
        check_line(text)


@contextmanager
def copying(name: str) -> Iterator[Path]:
    """Where a combination's data are put together; gone afterwards, whatever happens."""
    target = data_folder(name)
    aside = target.with_name(f".{name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        yield aside
    except OSError as error:
        raise InputError(f"{error.filename or target} cannot be copied ({error.strerror or error}); nothing was changed") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def track(name: str) -> None:
    """Put the photographs under DVC, if this is a DVC repository: git sees their hash alone, and `dvc push` carries them."""
    if not Path(".dvc").is_dir():
        return
    command = [sys.executable, "-m", "dvc", "add", "--quiet", str(data_folder(name))]
    done = subprocess.run(command, env={**os.environ, "DVC_NO_ANALYTICS": "1"}, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"{data_folder(name)} is not under DVC ({reason}); 'dvc add {data_folder(name)}' puts it there, before you share it")
    else:
        print(f"{data_folder(name)} is under DVC, not in git; docs/sharing.md says how to pass it on")


def copy_clip(motion: Path | None, folder: Path, merged: Merged) -> None:
    """The clip as `motion.mp4`, whatever its ending: it is read by its content."""
    if motion is None:
        return
    source = motion.expanduser()
    if not source.is_file():
        raise InputError(f"--motion: {source} is no file; name the clip")
    shutil.copyfile(source, folder / "motion.mp4")
    try:
        look_at_clip(folder / "motion.mp4", merged.motion.frames)
    except InputError as error:
        raise InputError(str(error).replace(str(folder / "motion.mp4"), str(source))) from None


def put_in_place(name: str, aside: Path, entry: dict) -> None:
    """The data first, params.yaml last; without the entry the data go too."""
    target = data_folder(name)
    aside.replace(target)
    try:
        add_combination(name, entry)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def report(name: str, merged: Merged, copied: list[Copied]) -> None:
    """Say what was done, and what comes next."""
    for own in copied:
        print(f"{own.folder}: {own.count} picture{'s' * (own.count != 1)} of '{own.noun}'" + "".join(f"\n  {note}" for note in own.notes))
    if said := find_photographs(merged, [own.longest_side for own in copied]):
        print(said)
    subjects = load_subjects(data_folder(merged.finetune_from), merged.subjects, merged.placeholder_tokens)
    for prompt in merged.prompts:
        print(f'video of "{spoken_prompt(subjects, read_scene(prompt))}"')
    print(f"added to {PARAMS}: combinations.{name}. Next:")
    print(f"  python -m tasks.commands.check {name}")
    print(f"  python -m flows.full run --combination {name}")


if __name__ == "__main__":
    typer.run(main)
