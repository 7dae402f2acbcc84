"""params.yaml as tests want it: the demo's subjects and clip, and the preset's own settings."""

from pathlib import Path
from typing import Any

import yaml

from tasks.shared.params import OVERRIDES
from tasks.shared.yaml_files import read_yaml

ROOT = Path(__file__).parents[2]
PROMPTS = ["on the beach", "in the snow", "are playing in the desert"]


def plain_params() -> dict[str, Any]:
    """The project's params.yaml; its demo has plain prompts, and overrides nothing."""
    params = read_yaml(ROOT / "params.yaml")
    toys = {key: value for key, value in params["combinations"]["toys"].items() if key not in OVERRIDES}
    return params | {"combinations": {"toys": toys | {"prompts": PROMPTS}}}


def write_plain_params(folder: Path) -> None:
    """Write them into `folder`."""
    (folder / "params.yaml").write_text(yaml.safe_dump(plain_params(), sort_keys=False, default_flow_style=None))
