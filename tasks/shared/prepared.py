"""What the mix stage prepared, as the later stages read it: squares, D_mix, the clip's frames, the judges' references."""

import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tasks.shared.paths import run_folder
from vd_core.errors import InputError
from vd_core.inputs.pictures import load_numbered
from vd_core.inputs.subjects import Subject


@dataclass(frozen=True)
class Prepared:
    """The subjects, and each one's pictures at the base's resolution."""

    subjects: list[Subject]
    pictures: list[list[Image.Image]]


def read_prepared(name: str) -> Prepared:
    """The subjects' squares; InputError if the mix stage has not run."""
    subjects = read_subjects(name)
    return Prepared(subjects, [load_numbered(run_folder(name, "mix") / "subjects" / s.name) for s in subjects])


def read_subjects(name: str) -> list[Subject]:
    """The subjects alone; InputError if the mix stage has not run."""
    about = read_json(run_folder(name, "mix") / "subjects" / "about.json", name)
    return [Subject(s["name"], s["class_noun"], s["placeholder_token"], Path(s["folder"])) for s in about["subjects"]]


def read_mixed(name: str) -> list[Image.Image]:
    """D_mix."""
    return load_numbered(run_folder(name, "mix") / "mixed")


def read_clip(name: str) -> list[Image.Image]:
    """The reference clip's frames; none if there is no clip."""
    return load_numbered(run_folder(name, "mix") / "clip")


def read_nouns(name: str) -> list[str]:
    """The subjects' class nouns, as they lie beside the clip: their motion does not depend on their pictures."""
    return read_json(run_folder(name, "mix") / "clip" / "about.json", name)["class_nouns"]


def read_json(path: Path, name: str) -> dict:
    """A JSON file of the mix stage."""
    if not path.is_file():
        raise InputError(f"{path} is missing; run 'dvc repro mix@{name}' first")
    return json.loads(path.read_text())
