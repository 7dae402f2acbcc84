"""What a finished run left in its folders, read for people."""

import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tasks.shared.paths import metrics_path, picks_path, run_folder
from tasks.shared.picks import Candidate, Picks, read_candidates, read_picks
from tasks.shared.prepared import Prepared, read_prepared
from vd_core.errors import InputError
from vd_core.inputs.pictures import load_numbered


@dataclass(frozen=True)
class Video:
    """One rendered clip, with its own metrics."""

    name: str
    generator: str
    prompt: str
    seed: int
    figures: dict[str, float]
    frames: list[Image.Image]


@dataclass(frozen=True)
class Run:
    """A combination's results."""

    prepared: Prepared
    candidates: list[Candidate]
    picks: Picks
    videos: list[Video]
    means: dict[str, dict[str, float]]

    @property
    def chosen(self) -> list[int]:
        """The numbers of the candidates that were learned from."""
        return chosen_numbers(self.picks)

    @property
    def generators(self) -> list[str]:
        return list(dict.fromkeys(v.generator for v in self.videos))

    @property
    def prompts(self) -> list[str]:
        return list(dict.fromkeys(v.prompt for v in self.videos))


def chosen_numbers(picks: Picks) -> list[int]:
    """The numbers of the picked candidates."""
    return [p.number for p in picks.picks] or list(range(1, (picks.best or 0) + 1))


def gather(name: str, owner: str) -> Run:
    """A combination's results, with the candidates and picks of the `owner` of its subjects; InputError if a stage has not run."""
    picks = read_picks(picks_path(owner))
    return Run(read_prepared(name), read_candidates(run_folder(owner, "sample")), picks, read_videos(name), read_means(name))


def read_videos(name: str) -> list[Video]:
    """The rendered clips."""
    folder = run_folder(name, "render")
    rows, figures = read_json(folder / "videos.json", name, "render"), read_figures(name)
    return [
        Video(r["video"], r["generator"], r["prompt"], r["seed"], figures.get(r["video"], {}), load_numbered(folder / r["video"]))
        for r in rows
    ]


def read_figures(name: str) -> dict[str, dict[str, float]]:
    """Every video's metrics, by its name."""
    return read_json(run_folder(name, "evaluate") / "videos.json", name, "evaluate")


def read_means(name: str) -> dict[str, dict[str, float]]:
    """The metrics by generator."""
    return read_json(metrics_path(name), name, "evaluate")


def read_json(path: Path, name: str, stage: str) -> dict:
    """A JSON file that a stage wrote; InputError if it is not there."""
    if not path.is_file():
        raise InputError(f"{path} is missing; run 'dvc repro {stage}@{name}' first")
    return json.loads(path.read_text())
