"""The one value of params.yaml that a run changes by itself: how often a person asked for other candidates."""

from pathlib import Path

from filelock import FileLock
from ruamel.yaml import YAML

from tasks.shared.params import PARAMS
from vd_core.files import replacing


def raise_sampling_round(name: str, path: Path = PARAMS) -> int:
    """Ask for other HLR candidates: raise `combinations.<name>.sampling_round` by one in the file, comments and all else kept. Returns it."""
    document = YAML()
    document.preserve_quotes, document.width = True, 4096
    document.indent(mapping=2, sequence=4, offset=2)
    with FileLock(path.with_suffix(".lock.tmp")), replacing(path) as aside:
        content = document.load(path)
        content["combinations"][name]["sampling_round"] += 1
        document.dump(content, aside)
    return content["combinations"][name]["sampling_round"]
