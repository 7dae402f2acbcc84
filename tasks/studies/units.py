"""A study's units of work: finetunings, and the clips of each by generator, prompt and seed. A unit's key is a hash of all that decides its result."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.settings import build_sections, hash_files
from tasks.shared.code import hash_code
from tasks.shared.merging import load_params, merge
from tasks.shared.params import Merged, Params, Render
from tasks.shared.sections import Models, Sections
from tasks.shared.yaml_files import overlay
from tasks.studies.plan import About, Cell, Generator, Study, Variant
from vd_core.errors import InputError
from vd_core.files import fingerprint_of
from vd_core.seeds import seed_for
from vd_core.studies.multistudio import PhotographedSubject

PHOTOGRAPHS = Path("data/multistudio")
CHUNK = 12
"""Clips that one task renders, or scores, after it has loaded the models once."""
RENDER = set(Render.model_fields)
UNUSED = {
    "pictures": RENDER - {"num_inference_steps"},
    "text2video_zero": {"animatediff_frames"},
    "animatediff": {"text2video_zero_frames", "motion_field_strength", "t_forward", "t_warp", "t_carried", "t_events"},
}
"""The keys of `render` that decide nothing of a generator's clips."""
Subjects = dict[str, tuple[int, About]]
"""By name: a subject's number in its edition, and what it is."""


@dataclass(frozen=True)
class Finetuning:
    """One finetuning of a base on one combination's subjects; `before`: the one that HLR goes on from."""

    key: str
    label: str
    subjects: Subjects
    sections: Sections
    before: "Finetuning | None"


@dataclass(frozen=True)
class Video:
    """One clip: its `key` and that of its `score`, what its prompt says after P_c, of which kind that is, the study's seed and the one drawn from."""

    key: str
    score: str
    prompt: str
    kind: str
    number: int
    seed: int


@dataclass(frozen=True)
class Clips:
    """Some clips of one finetuning by one generator, which one task renders and another scores."""

    label: str
    variant: str
    combination: str
    training_seed: int
    finetuning: Finetuning
    generator: Generator
    videos: tuple[Video, ...]


def list_units(study: Study, variant: str | None = None, combination: str | None = None) -> list[Clips]:
    """All units of a study in its order, or those of one variant, of one combination."""
    built: dict[tuple, Sections] = {}
    cells = [c for c in study.cells if variant in (None, c.name) and combination in (None, c.combination)]
    return [clips for cell in cells for clips in units_of(study, cell, built)]


def units_of(study: Study, cell: Cell, built: dict[tuple, Sections]) -> Iterator[Clips]:
    """The units of a cell. `built` keeps the sections of a variant on a base, since a base's files are hashed for them."""
    given = hash_given(cell.subjects)
    for seed in study.training_seeds[: cell.variant.training_seeds]:
        for generator in cell.generators:
            base, size = study.bases[generator], len(cell.subjects)
            place = (base, cell.name, size, seed)
            sections = built[place] = built.get(place) or build_variant(study, base, cell.variant, size, seed)
            finetuning = build_finetuning(cell, f"{base}-{seed}", given, sections)
            videos = list_videos(study, generator, finetuning, given)
            for i in range(0, len(videos), CHUNK):
                label = f"{finetuning.label}-{generator}-{i}"
                yield Clips(label, cell.name, cell.combination, seed, finetuning, generator, tuple(videos[i : i + CHUNK]))


def merge_study(base: str, keys: dict[str, Any], subjects: int, seed: int) -> Merged:
    """A base's preset with other `keys` of it and no validation on the way; the device is that of params.yaml."""
    names = [f"subject-{i}" for i in range(subjects)]
    own = {"base": base, "finetune_from": "study", "subjects": names, "prompts": [""], "sampling_round": 0}
    combination = overlay(own, keys, {"finetune": {"validation": {"every": 0}}})
    whole = {"base": base, "seed": seed, "device": load_params().device, "processes": 1, "combinations": {"study": combination}}
    return merge(Params.model_validate(whole), "study")


def build_variant(study: Study, base: str, variant: Variant, subjects: int, seed: int) -> Sections:
    """The sections of a variant on a base, with the variant's steps and rate, or the study's for its method; both learning rates change in proportion."""
    keys = overlay(study.overrides, {"method": variant.method, "finetune": variant.finetune})
    if steps := variant.steps or study.steps.get(variant.method):
        keys = overlay(keys, {"finetune": {"schedule": {"steps": steps}}})
    rate = variant.learning_rate or study.learning_rates.get(variant.method)
    if rate is not None:
        plain = merge_study(base, {"method": variant.method}, subjects, seed).finetune
        text = plain.text_encoder_learning_rate * rate / plain.schedule.learning_rate
        keys = overlay(keys, {"finetune": {"schedule": {"learning_rate": rate}, "text_encoder_learning_rate": text}})
    return build_sections(merge_study(base, keys, subjects, seed))


def hash_given(subjects: Subjects) -> str:
    """A hash of what is given of a combination: the toys' looks, or the photographs; InputError if these are not there."""
    drawn = {name: (number, about.model_dump()) for name, (number, about) in subjects.items()}
    photographs = [name for name, (_, about) in subjects.items() if isinstance(about, PhotographedSubject)]
    files = {name: hash_files(str(PHOTOGRAPHS / name)) for name in photographs}
    for name, found in files.items():
        if found is None:
            raise InputError(f"{PHOTOGRAPHS / name}/ is missing; run 'python -m tasks.commands.multistudio fetch'")
    return fingerprint_of({"drawn": drawn, "files": files}, [])


def build_finetuning(cell: Cell, suffix: str, given: str, sections: Sections) -> Finetuning:
    """A cell's finetuning with the key of all that decides its weights; HLR's goes on from the plain one."""
    trained = sections.finetune
    about = {
        "code": hash_code("tasks.studies.finetuning"),
        "given": given,
        "mix": sections.mix.model_dump(exclude={"subjects", "clip_frames", "device"}),
        "finetune": trained.model_dump(include={"models", "method", "training"}),
    }
    plain = Finetuning(fingerprint_of(about, [])[:24], f"{cell.name}-{cell.combination}-{suffix}", cell.subjects, sections, None)
    if not cell.variant.hlr:
        return plain
    again = sections.sample.model_dump(include={"judging", "candidates", "sampling", "seed", "related_prompts"})
    refined = sections.refinetune.model_dump(include={"training", "min_picks"})
    key = fingerprint_of({"before": plain.key, "sample": again, "refinetune": refined}, [])[:24]
    return Finetuning(key, plain.label, cell.subjects, sections, plain)


def models_of(sections: Sections, generator: Generator) -> Models:
    """The base of a generator: with its motion modules for AnimateDiff alone."""
    return sections.render.models if generator == "animatediff" else sections.finetune.models


def list_videos(study: Study, generator: Generator, finetuning: Finetuning, given: str) -> list[Video]:
    """The clips of a finetuning by one generator. Their seeds are the same for all finetunings, so that methods are compared on the same noise."""
    sections = finetuning.sections
    render = sections.render.render.model_dump(exclude=UNUSED[generator] | {"generators", "seeds_tried", "low_vram"})
    shared = {
        "code": hash_code("tasks.studies.rendering"),
        "finetuning": finetuning.key,
        "generator": generator,
        "models": models_of(sections, generator).model_dump(),
        "sampling": sections.render.sampling,
        "render": render,
    }
    judged = {
        "code": hash_code("tasks.studies.scoring"),
        "given": given,
        "mix": sections.mix.model_dump(exclude={"subjects", "clip_frames", "device"}),
        "evaluate": sections.evaluate.model_dump(exclude={"device"}),
    }
    asked = [(p, number, seed_for("study clip", generator, p.text, number)) for p in study.prompts for number in study.seeds_of(p)]
    videos = []
    for i, (prompt, number, seed) in enumerate(asked):
        beside = [(p.text, s) for p, _, s in asked[i - i % CHUNK :][:CHUNK]] if generator == "pictures" else []  # they are drawn at once
        key = fingerprint_of({**shared, "prompt": prompt.text, "seed": seed, "beside": beside}, [])[:24]
        score = fingerprint_of({**judged, "clip": key}, [])[:24]
        videos.append(Video(key, score, prompt.text, prompt.kind, number, seed))
    return videos
