"""A study carried from machine to machine: its clips' figures by their keys, in a file that git keeps, back into a store."""

from pathlib import Path

from tasks.studies.figures import PLACE, read_scored
from tasks.studies.rows import read_kept, rows_path, write_rows
from tasks.studies.scoring import FIGURES, missing_scores
from tasks.studies.store import placed, score_path
from tasks.studies.units import Clips
from vd_core.files import write_json


def keep(study: str, units: list[Clips], store: Path) -> tuple[Path, int]:
    """Write the figures of all clips that have some, by variant; the file, and how many they are."""
    rows: dict[str, list[dict]] = {}
    for unit in units:
        missing = {v.score for v in missing_scores(unit, store)}
        rows.setdefault(unit.variant, []).extend(read_scored(unit, v, store) for v in unit.videos if v.score not in missing)
    path = rows_path(study)
    write_rows(rows, path)
    return path, sum(map(len, rows.values()))


def take_back(study: str, units: list[Clips], store: Path) -> int:
    """Put kept figures into the store where a clip has none; how many. A key is a hash of all that decides a figure, so others do not count."""
    path = rows_path(study)
    if not path.is_file():
        return 0
    kept = {row["score"]: row for rows in read_kept(path).values() for row in rows if "score" in row}
    wanted = {v.score for unit in units for v in missing_scores(unit, store)} & kept.keys()
    for key in wanted:
        with placed(score_path(store, key)) as folder:
            folder.mkdir()
            write_json(folder / FIGURES, {name: value for name, value in kept[key].items() if name not in PLACE})
    return len(wanted)
