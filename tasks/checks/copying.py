"""A person's pictures, copied into a subject's folder."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import yaml

from vd_core.errors import InputError
from vd_core.inputs.inspecting import ENDINGS, SILENT, by_reason, inspect_pictures, shown


@dataclass(frozen=True)
class Copied:
    """What was copied for a subject: from where, under which noun, how many pictures, their longest side, and what was left out and why."""

    folder: Path
    noun: str
    count: int
    longest_side: int
    notes: tuple[str, ...]


def copy_subject(source: Path, noun: str, target: Path) -> Copied:
    """Copy the pictures of `source` that can be used into `target`, beside a subject.yaml; links become copies of what they mean."""
    if not source.is_dir():
        raise InputError(f"--subject {noun}: {source} is {'a file' if source.exists() else 'missing'}; name a folder of pictures")
    target.mkdir(parents=True)
    left_out = [note for path in sorted(source.iterdir()) if (note := copy_picture(path, target))]
    if not any(target.iterdir()):
        raise InputError(f"--subject {noun}: " + "; ".join([f"{source} holds no picture ({ENDINGS})", *left_out[:3]]))
    looked = inspect_pictures(target)
    for finding in looked.refused:
        finding.path.unlink()
        left_out.append(f"left out: {finding.reason.replace(str(finding.path), shown(finding.path))}")
    if not looked.accepted:
        raise InputError(f"--subject {noun}: no picture of {source} can be used; {'; '.join(left_out[:3])}")
    about = yaml.safe_dump({"class_noun": noun}, allow_unicode=True, width=4096)
    (target / "subject.yaml").write_text(about, encoding="utf-8")
    return Copied(source, noun, len(looked.accepted), looked.longest_side, (*by_reason(looked.warned), *left_out))


def copy_picture(path: Path, target: Path) -> str | None:
    """Copy one file if it should be a picture; otherwise why it is left out, or None for what nobody misses."""
    if path.name.startswith(".") or path.name.lower() in SILENT:
        return None
    if path.is_dir():
        return f"left out: {shown(path)} is a folder"
    if path.suffix.lower() not in ENDINGS.split():
        return f"left out: {shown(path)} is not one of {ENDINGS}"
    if not path.is_file():
        return f"left out: {shown(path)} is a link that leads nowhere, or a device"
    if not path.name.isprintable():
        return f"left out: {shown(path)} has a name that cannot be printed; rename it"
    shutil.copyfile(path, target / path.name)
    return None
