"""Where a combination's files lie."""

from pathlib import Path

CACHE = Path(".cache")
STAGES = ("settings", "mix", "finetune", "sample", "refinetune", "motion", "swap", "render", "encode", "evaluate", "export")
"""In the order in which they can run."""


def data_folder(combination: str) -> Path:
    """What a person gives."""
    return Path("data") / combination


def run_folder(combination: str, stage: str) -> Path:
    """Where a stage writes."""
    return Path("runs") / combination / stage


def checkpoint_folder(combination: str, stage: str) -> Path:
    """Where a training keeps its checkpoint, logs and sample pictures while it runs."""
    return CACHE / "checkpoints" / combination / stage


def page_path(combination: str) -> Path:
    """The page that shows everything of a run."""
    return run_folder(combination, "export") / "index.html"


def log_path(combination: str, stage: str) -> Path:
    """What a stage said in its last run by the flow."""
    return Path("runs") / combination / "logs" / f"{stage}.log"


def settings_path(combination: str) -> Path:
    """What the settings stage writes and all others read."""
    return Path("runs") / combination / "settings.yaml"


def picks_path(combination: str) -> Path:
    """What a person chose of the candidates."""
    return Path("picks") / f"{combination}.yaml"


def curves_path(kind: str, combination: str, stage: str) -> Path:
    """A training's "losses" or "validation" as `dvc plots` reads them."""
    return Path("metrics") / kind / f"{combination}-{stage}.csv"


def picture_path(combination: str, stage: str) -> Path:
    """A training's losses as a picture, for `dvc plots` without a network."""
    return Path("metrics") / "curves" / f"{combination}-{stage}.png"


def metrics_path(combination: str) -> Path:
    """The figures of the videos."""
    return Path("metrics") / f"{combination}.json"
