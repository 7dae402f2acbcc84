"""All checks of a combination, before anything is computed."""

import json
from pathlib import Path

from tasks.checks.finding import Finding
from tasks.checks.given import check_clip, check_likeness, check_nouns, check_scenes, check_subject, check_words, read_nouns, read_subjects
from tasks.checks.machine import check_device, check_disk, check_python, check_server, size_in_words
from tasks.shared.frames import check_frames, wanted_frames
from tasks.shared.merging import load_params, merge
from tasks.shared.params import Merged
from vd_core.bases.wanted import wanted_parts
from vd_core.errors import InputError
from vd_core.files import sha256_of
from vd_core.hub import Located, explain_other_file, find_file, find_group, locate, unpinned_commit
from vd_core.inputs.inspecting import inspect_pictures
from vd_core.metrics.wanted import wanted_judges


def check_everything(combination: str) -> list[Finding]:
    """What is well, what is doubtful and what stops a run of `combination`."""
    try:
        merged = merge(load_params(), combination)
    except InputError as error:
        return [check_python(), Finding("settings", "stops", str(error))]
    nouns = read_nouns(merged)
    wanted = [*wanted_parts(merged.source, motion=bool(wanted_frames(merged))), *wanted_judges(merged.judges, nouns)]
    located = {place.wanted.name: place for place in locate(wanted)}
    return [
        check_python(),
        check_settings(merged, located),
        check_device(merged, located["unet"].size),
        check_disk(list(located.values())),
        *(check_weights(place) for place in located.values()),
        *check_nouns(merged, nouns),
        *check_given(merged, combination, located["tokenizer"]),
        *check_server(),
    ]


def refuse(combination: str) -> None:
    """InputError with every line that would stop a run of `combination`; nothing if none would."""
    stopping: dict[str, list[str]] = {}
    for finding in check_everything(combination):
        if finding.state == "stops":
            stopping.setdefault(finding.said, []).append(finding.what)
    if stopping:
        raise InputError("\n".join(f"{', '.join(names)}: {said}" for said, names in stopping.items()))


def check_settings(merged: Merged, located: dict[str, Located]) -> Finding:
    """The settings against the frames that the motion modules hold, where those are here."""
    try:
        check_frames(merged, most_frames(located.get("motion modules")))
    except InputError as error:
        return Finding("settings", "stops", str(error))
    return Finding("settings", "ok", f"base {merged.base}, method {merged.method}")


def most_frames(place: Located | None) -> int | None:
    """How many frames motion modules that are here can hold."""
    config = place and find_file(place.wanted, "config.json")
    return json.loads(config.read_text()).get("motion_max_seq_length") if config else None


def check_weights(place: Located) -> Finding:
    """Where one model is."""
    name = place.wanted.name
    if place.state == "missing":
        return Finding(name, "stops", place.reason)
    size = f"{size_in_words(place.size)}, " if place.size else ""
    if place.state == "to fetch":
        return Finding(name, "ok", f"{size}will be fetched from {place.wanted.url or place.wanted.path}")
    if place.wanted.sha256 and sha256_of(file := find_group(place.wanted, place.wanted.files[0])[0]) != place.wanted.sha256:
        return Finding(name, "stops", explain_other_file(place.wanted.path, file))
    where = place.wanted.path if place.wanted.url or Path(place.wanted.path).exists() else f"the hub's cache ({place.wanted.path})"
    commit = unpinned_commit(place.wanted)
    return Finding(name, "ok", f"{size}in {where}" + (f"; no revision is pinned, this is {commit}" if commit else ""))


def check_given(merged: Merged, combination: str, tokenizer: Located) -> list[Finding]:
    """Subjects, clip and prompts."""
    try:
        subjects = read_subjects(merged)
    except InputError as error:
        return [Finding("subjects", "stops", str(error)), *check_clip(merged, combination)]
    inspections = [inspect_pictures(s.folder) for s in subjects]
    return [
        *map(check_subject, subjects, inspections),
        *check_likeness(merged, inspections),
        *check_clip(merged, combination),
        *check_scenes(merged),
        *check_words(merged, combination, subjects, tokenizer),
    ]
