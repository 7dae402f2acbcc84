"""A unit of work: the figures of some clips."""

import time
from pathlib import Path

from tasks.evaluate import open_aesthetic
from tasks.shared.judging import open_judges
from tasks.shared.likeness import draws_toys
from tasks.studies.given import name_subjects, open_pictures, refer
from tasks.studies.store import alone, clip_path, note_seconds, placed, score_path
from tasks.studies.units import Clips, Video
from vd_core.files import write_json
from vd_core.inputs.pictures import load_numbered
from vd_core.inputs.prompts import plain_prompt, scene_prompt
from vd_core.metrics.report import judge_clip
from vd_core.studies.multistudio import DrawnSubject
from vd_core.studies.toy_clips import read_toys
from vd_core.studies.toys import Jury
from vd_core.toybox.reading.reader import load_reader

FIGURES = "figures.json"


def missing_scores(unit: Clips, store: Path) -> list[Video]:
    """Those whose figures do not stand yet."""
    return [v for v in unit.videos if not score_path(store, v.score).exists()]


def score(unit: Clips, store: Path) -> None:
    """Judge the clips that have no figures yet."""
    with alone(store, f"score-{unit.finetuning.key}-{unit.label.rsplit('-', 1)[-1]}-{unit.generator}"):
        videos = missing_scores(unit, store)
        if not videos:
            return
        begun, sections = time.perf_counter(), unit.finetuning.sections
        section = sections.evaluate
        subjects = name_subjects(unit.finetuning.subjects, sections)
        judges, aesthetic = open_judges(section.judging, section.device, subjects), open_aesthetic(section)
        known = refer(judges, subjects, open_pictures(unit.finetuning.subjects, sections))
        toys = {a.class_noun: a.looks for _, a in unit.finetuning.subjects.values() if isinstance(a, DrawnSubject)}
        jury = Jury(judges, load_reader(Path(str(section.judging.judges)))) if toys and draws_toys(section.judging.judges) else None
        loading = (time.perf_counter() - begun) / len(videos)
        for video in videos:
            begun = time.perf_counter()
            with placed(score_path(store, video.score)) as folder:
                folder.mkdir()
                frames = load_numbered(clip_path(store, video.key))
                figures = judge_clip(judges, frames, known, plain_prompt(scene_prompt(subjects, video.prompt), subjects), aesthetic)
                write_json(folder / FIGURES, {**figures, **(read_toys(jury, frames, toys, video.prompt) if jury else {})})
                note_seconds(folder, time.perf_counter() - begun + loading)
