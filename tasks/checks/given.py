"""What a person gave: subjects and their pictures, the clip, prompts against the base's tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.checks.finding import Finding
from tasks.shared.likeness import explain_likeness
from tasks.shared.params import Merged
from tasks.shared.paths import data_folder
from vd_core.bases.hub import where
from vd_core.errors import InputError
from vd_core.hub import Located
from vd_core.inputs.clips import Clip, find_clip, load_clip
from vd_core.inputs.inspecting import Inspection, problems
from vd_core.inputs.prompts import check_prompts, spelled_words, training_prompts
from vd_core.inputs.scenes import read_scene, spoken_prompts
from vd_core.inputs.subjects import Subject, check_placeholder_tokens, load_subjects
from vd_core.inputs.ways import says_a_way
from vd_core.metrics.wanted import explain_open_detector
from vd_core.settings import Part

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

CHECKED_SIDE = 64  # pixels of a clip's frames that are looked at and thrown away


def check_subject(subject: Subject, inspection: Inspection) -> Finding:
    """One subject's pictures."""
    count = f"{len(inspection.accepted)} picture{'s' * (len(inspection.accepted) != 1)}"
    if wrong := problems(inspection):
        return Finding(subject.name, "stops", "; ".join([count, *wrong]))
    notes = inspection.notes()
    return Finding(subject.name, "warning" if notes else "ok", "; ".join([count, *notes]))


def look_at_clip(path: Path, frames: int) -> Clip:
    """A clip at a small size, as the mix stage will take it; InputError if it cannot be read or has fewer than `frames` frames."""
    return load_clip(path, frames, CHECKED_SIDE)


def check_likeness(merged: Merged, inspections: list[Inspection]) -> list[Finding]:
    """Whether the base can draw what is on the pictures."""
    said = find_photographs(merged, [i.longest_side for i in inspections])
    return [Finding("base", "warning", said)] if said else []


def find_photographs(merged: Merged, longest_sides: list[int]) -> str | None:
    """What to say of photographs on the embedded base, whose side its autoencoder's configuration has; None if that is not here."""
    config = Path(where(merged.source.pipeline)) / "vae" / "config.json"
    return explain_likeness(merged.judges, json.loads(config.read_text())["sample_size"], longest_sides) if config.is_file() else None


def check_clip(merged: Merged, combination: str) -> list[Finding]:
    """The clip, if the combination has a motion prompt."""
    try:
        path = find_clip(data_folder(combination))
        if merged.motion_prompt is None:
            return [Finding("clip", "warning", f"{path} is not used, because motion_prompt is null")] if path else []
        if path is None:
            missing = data_folder(combination) / "motion.mp4"
            return [Finding("clip", "stops", f"{missing} is missing; put the clip there, or set motion_prompt to null")]
        if merged.learned_motion is None and not merged.render.motion_from_clip:
            return [Finding("clip", "warning", f"{path} is not used, because motion.finetune and render.motion_from_clip are false")]
        clip = look_at_clip(path, merged.motion.frames)
    except InputError as error:
        return [Finding("clip", "stops", str(error))]
    return [
        Finding("clip", "warning" if clip.notes else "ok", "; ".join([f"{path}, {len(clip.frames)} of {clip.total} frames", *clip.notes]))
    ]


def read_subjects(merged: Merged) -> list[Subject]:
    """The combination's subjects; InputError as the mix stage would say it."""
    return load_subjects(data_folder(merged.finetune_from), merged.subjects, merged.placeholder_tokens)


def read_nouns(merged: Merged) -> list[str]:
    """The subjects' class nouns; none if they cannot be read, which `read_subjects` says."""
    try:
        return [s.class_noun for s in read_subjects(merged)]
    except InputError:
        return []


def check_nouns(merged: Merged, class_nouns: list[str]) -> list[Finding]:
    """The nouns for which the open detector is wanted, if there are any."""
    said = explain_open_detector(merged.judges, class_nouns)
    return [Finding("nouns", "ok", said)] if said else []


def check_scenes(merged: Merged) -> list[Finding]:
    """Settings of subjects in their own boxes, if no prompt has any; words that should lead, if none does."""
    scenes = [read_scene(raw) for raw in merged.prompts]
    led = merged.render.motion_from_clip and "animatediff" in merged.render.generators
    wanted = {
        "regions.staged": merged.regions.staged,
        "AnimateDiff's render.motion_from_clip": led,
        "render.motion_from_words": merged.render.motion_from_words,
    }
    keys = [key for key, on in wanted.items() if on]
    if keys and not any(scene.actions for scene in scenes):
        subjects = ", ".join(f"{name}: ''" for name in merged.subjects)
        example = f"{{scene: {scenes[0].text}, subjects: {{{subjects}}}}}"
        said = f"no prompt names the subjects, and {' and '.join(keys)} act on such alone; write {example}"
        return [Finding("scenes", "warning", said)]
    if merged.render.motion_from_words and not any(says_a_way(scene) for scene in scenes):
        said = "render.motion_from_words is true, and no subject's words say a way in an automatic layout; write as {subjects: {%s: is jumping}}"
        return [Finding("scenes", "warning", said % merged.subjects[0])]
    return []


def check_words(merged: Merged, combination: str, subjects: list[Subject], place: Located) -> list[Finding]:
    """Prompts and placeholders, if the tokenizer's files are here."""
    if place.state != "here" or Path(place.wanted.path).is_file():
        return [Finding("prompts", "ok", f"{len(merged.prompts)}; their length is checked once the tokenizer is here")]
    return check_lengths(merged, combination, subjects, open_tokenizer(merged.source.pipeline))


def open_tokenizer(pipeline: Part) -> CLIPTokenizer:
    """The base's tokenizer, whose files are here."""
    from transformers import CLIPTokenizer  # a second that other checks need not wait for

    return CLIPTokenizer.from_pretrained(where(pipeline), subfolder="tokenizer", revision=pipeline.revision, local_files_only=True)


def check_lengths(merged: Merged, combination: str, subjects: list[Subject], tokenizer: CLIPTokenizer) -> list[Finding]:
    """Every prompt against the tokens that the base reads, and each placeholder, which must be one token."""
    prompts = training_prompts(combination, subjects, merged.method, tokenizer)
    scenes, repeat = [read_scene(raw) for raw in merged.prompts], merged.regions.repeat
    prompts |= spoken_prompts(combination, subjects, scenes, merged.hlr.related_prompts, merged.motion_prompt, repeat)
    findings = []
    for key, prompt in prompts.items():
        try:
            check_prompts({key: prompt}, tokenizer)
        except InputError as error:
            findings.append(Finding("prompts", "stops", str(error)))
    findings = findings or [Finding("prompts", "ok", f"{len(merged.prompts)}; none is cut")]
    findings += check_spelling(list(prompts.values()), tokenizer)
    try:
        check_placeholder_tokens(subjects, tokenizer)
    except InputError as error:
        return [*findings, Finding("tokens", "stops", str(error))]
    return [*findings, Finding("tokens", "ok", ", ".join(f"{s.name}: {s.placeholder_token}" for s in subjects))]


def check_spelling(prompts: list[str], tokenizer: CLIPTokenizer) -> list[Finding]:
    """The words that the base was never taught, if there are any."""
    strange = ", ".join(f"'{word}'" for word in spelled_words(prompts, tokenizer))
    return [Finding("words", "warning", f"this base does not know {strange}; it will hardly draw that")] if strange else []
