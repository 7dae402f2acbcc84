"""Print a combination's merged settings: its preset with what it overrides, one section a stage, as DVC compares them."""

from tasks.settings import build_sections
from tasks.shared.command import run_command
from tasks.shared.merging import load_params, merge
from tasks.shared.sections import as_yaml


def settings(name: str) -> None:
    """Print the settings of one combination."""
    print(as_yaml(build_sections(merge(load_params(), name))), end="")


if __name__ == "__main__":
    run_command(settings)
