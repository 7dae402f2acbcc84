"""A folder with params.yaml, presets and data in which stages run as functions."""

import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from tasks.settings import settings
from tasks.shared.sections import Sections, read_section
from tasks.shared.yaml_files import overlay, read_yaml
from tests.helpers.judges import write_random_judges
from tests.helpers.params import write_plain_params

ROOT = Path(__file__).parents[2]
QUICK: dict[str, Any] = {
    "precision": "float32",
    "mix": {"count": 4},
    "sampling": {"num_inference_steps": 8},
    "finetune": {
        "schedule": {"steps": 3},
        "lora": {"rank": 2},
        "prior": {"pictures": 2},
        "validation": {"every": 0, "pictures": 2},
    },
    "hlr": {"candidates": 3, "min_picks": 2, "steps": 2},
    "motion": {
        "schedule": {"steps": 2},
        "lora_rank": 2,
        "copies": 3,
        "actors": 2,
        "places": ["in the snow"],
        "validation": {"every": 0},
        "frames": 4,
    },
    "render": {"text2video_zero_frames": 3, "animatediff_frames": 4, "num_inference_steps": 8, "t_forward": 6, "t_warp": 4},
}
"""What a quick run changes of the embedded base's preset."""
LED: dict[str, Any] = {
    "prompts": [{"scene": "in the snow", "subjects": {"dog": "is jumping", "car": ""}, "bounded": True}],
    "regions": {"staged": 0.3, "takes": 2, "layouts": 2},
    "render": {"motion_from_clip": True},
}
EVENTS: dict[str, Any] = {
    "prompts": [{"from": "in the forest", "to": "on the beach"}],
    "render": {"fast_mode": True, "low_vram": True, "animatediff_frames": 20},
}
"""Combinations that go beyond the paper: each drawn alone and led by the clip, and events in fast mode on little memory."""


def write_preset(path: Path, base: str, judges: str, quick: dict[str, Any]) -> None:
    """The embedded base's preset with the base in the folder `base` in its place, and with `quick` laid over it."""
    part = {"revision": None}
    source = {
        "pipeline": {"path": base, **part},
        "image_encoder": {"path": f"{base}/image_encoder", **part},
        "motion_adapter": {"path": f"{base}/motion_adapter", **part},
    }
    preset = overlay(read_yaml(ROOT / "presets" / "toybox.yaml"), quick, {"source": source, "judges": judges})
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(preset, sort_keys=False))


def write_workspace(folder: Path, base: Path) -> None:
    """Write params.yaml, a quick preset on `base`, random judges and the demo's data into `folder`."""
    write_plain_params(folder)
    judges = folder / "base" / "judges"
    write_random_judges(judges)
    shutil.copytree(base / "tokenizer", folder / "base" / "tokenizer")
    write_preset(folder / "presets" / "toybox.yaml", str(base), str(judges), QUICK)
    shutil.copytree(ROOT / "data", folder / "data")


def change(section: str, values: dict[str, Any], folder: Path = Path()) -> None:
    """Change the preset's section."""
    path = folder / "presets" / "toybox.yaml"
    preset = overlay(read_yaml(path), {section: values})
    path.write_text(yaml.safe_dump(preset, sort_keys=False))


def change_combination(values: dict[str, Any], folder: Path = Path(), name: str = "toys") -> None:
    """Change what params.yaml says of a combination."""
    path = folder / "params.yaml"
    params = overlay(read_yaml(path), {"combinations": {name: values}})
    path.write_text(yaml.safe_dump(params, sort_keys=False))


def run_stages(*stages: str, name: str = "toys") -> None:
    """Run stages as functions, on the settings as they are now."""
    settings(name)
    for stage in stages:
        model = Sections.model_fields[stage].annotation
        getattr(import_module(f"tasks.{stage}"), stage)(read_section(name, stage, model), name)
