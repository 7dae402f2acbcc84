"""What a study shows, from its cells' figures alone: the paper's tables, and one page with the clips side by side."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from tasks.shared.documents import as_table
from tasks.studies.figures import RUNS, read_study
from tasks.studies.page import build_page
from tasks.studies.plan import Study
from tasks.studies.store import TIMING, clip_path, finetuning_path, read_seconds, score_path
from tasks.studies.units import Clips
from vd_core.errors import InputError
from vd_core.files import write_json, write_text
from vd_core.studies.cost import Seconds
from vd_core.studies.paper_tables import PaperTable, build_tables, means_of

METRICS = Path("metrics/studies")


def write_report(study: Study, ranks: Mapping[str, float] | None = None, folder: Path | None = None) -> dict[str, str]:
    """Write the tables (numbers for programs, Markdown for people) and the page, and copies into `folder`; where they are."""
    cells = [(c.name, c.combination) for c in study.cells]
    table = read_study(study.name, cells)
    tables = build_tables(table, ranks or {})
    numbers, text, page = METRICS / f"{study.name}.json", RUNS / study.name / "tables.md", RUNS / study.name / "index.html"
    write_json(numbers, means_of(table))
    write_text(text, as_markdown(tables))
    write_text(page, build_page(study, table, tables))
    if folder:  # runs/ of a container ends with it
        shutil.copytree(RUNS / study.name, folder / study.name, ignore=shutil.ignore_patterns("cells"), dirs_exist_ok=True)
    return {"tables": str(text), "page": str(page)}


def as_markdown(tables: list[PaperTable]) -> str:
    """The tables one below the other."""
    parts = [
        f"**Table {t.number}**: {t.title}\n\n{as_table(t.head, t.rows) if t.rows else 'Not in this profile.' + chr(10)}" for t in tables
    ]
    return "\n".join(parts)


def read_ranks(path: Path) -> dict[str, float]:
    """People's mean ranks by method, as `rank collect` wrote them; InputError if it did not."""
    try:
        content = json.loads(path.read_text())["mean_rank"]
        return {method: TypeAdapter(float).validate_python(about["value"]) for method, about in content.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ValidationError) as error:
        raise InputError(f"{path} is no result of 'rank collect' ({type(error).__name__}); give the file that it wrote") from None


def describe_run(units: list[Clips], store: Path) -> dict[str, float]:
    """The seconds that the units took in all, each counted once."""
    finetunings = {u.finetuning.key for u in units}
    clips, scores = {v.key for u in units for v in u.videos}, {v.score for u in units for v in u.videos}
    places = {
        "finetuning": [finetuning_path(store, key) for key in finetunings],
        "rendering": [clip_path(store, key) for key in clips],
        "scoring": [score_path(store, key) for key in scores],
    }
    return {what: round(sum(read_all_seconds(own)), 1) for what, own in places.items()}


def read_all_seconds(places: list[Path]) -> list[float]:
    """The seconds that were taken on this machine: what another one has done is not here, or says nothing of them."""
    return [read_seconds(place) for place in places if (place / TIMING).is_file()]


def measured_seconds(units: list[Clips], store: Path) -> Seconds:
    """The mean seconds of a finetuning, of a clip by each generator, and of its figures; InputError if one of them was done elsewhere."""
    places: dict[str, list[Path]] = {"finetuning": [finetuning_path(store, key) for key in {u.finetuning.key for u in units}]}
    for unit in units:
        for video in unit.videos:
            places.setdefault(unit.generator, []).append(clip_path(store, video.key))
            places.setdefault("score", []).append(score_path(store, video.score))
    seconds = {name: read_all_seconds(own) for name, own in places.items()}
    if empty := [name for name, own in seconds.items() if not own]:
        raise InputError(f"no {empty[0]} was timed on this machine: give all of --finetuning, --text2video-zero, --animatediff, --score")
    mean = {name: sum(own) / len(own) for name, own in seconds.items()}
    return Seconds(mean["finetuning"], mean["text2video_zero"], mean["animatediff"], mean["score"])
