"""A new combination in params.yaml: inserted as text, so that nothing else of the file changes."""

import textwrap
from io import StringIO
from pathlib import Path
from typing import Any

import yaml
from ruamel.yaml import YAML

from tasks.shared.params import PARAMS, Params
from tasks.shared.paths import data_folder, metrics_path, picks_path
from tasks.shared.yaml_files import check_name
from vd_core.errors import InputError
from vd_core.files import replacing
from vd_core.inputs.scenes import read_scene
from vd_core.inputs.ways import says_a_way

LONGEST_NAME = 60


def check_new_name(name: str, params: Params) -> None:
    """InputError if `name` is no plain name, is read otherwise by YAML, or stands already."""
    try:
        check_name(name)
        read = [yaml.safe_load(name), YAML(typ="safe", pure=True).load(name)]
    except ValueError as error:
        raise InputError(f"{error}; take another name") from None
    if read != [name, name]:
        raise InputError(f"YAML may read '{name}' as something else than a word; take another name")
    if len(name) > LONGEST_NAME:
        raise InputError(f"the name has {len(name)} characters; at most {LONGEST_NAME} are taken")
    if name in params.combinations:
        raise InputError(f"{PARAMS}: combinations has a '{name}' already; take another name")
    for path in (data_folder(name), picks_path(name), metrics_path(name), metrics_path(name).with_suffix("")):
        if path.exists() or path.is_symlink():
            raise InputError(f"{path} stands already; take another name, or remove it")


def entry_of(
    owner: str, base: str, subjects: list[str], prompts: list[str], motion_prompt: str | None, staged: bool = False
) -> dict[str, Any]:
    """What params.yaml says of a new combination; `owner` is itself, or the one whose finetuned subjects it takes.

    `staged`: each subject is drawn alone first, and goes the clip's way if there is one, or else the prompts', if they say one (docs/regions.md).
    """
    scenes = [{"scene": prompt, "subjects": dict.fromkeys(subjects, "")} for prompt in prompts] if staged else prompts
    words = {"prompts": scenes, "motion_prompt": motion_prompt, "sampling_round": 0}
    keys = stage_keys(motion_prompt is not None, any(says_a_way(read_scene(scene)) for scene in scenes)) if staged else {}
    return {"base": base, "finetune_from": owner, "subjects": subjects, **words, **keys}


def stage_keys(clip: bool, words: bool) -> dict[str, Any]:
    """The keys of a preset that let each subject be drawn alone first, in candidates and videos. With a clip it is led along its way, and nothing is finetuned for that; without
    one as its `words` say, if they say a way.
    """
    by_words = {"render": {"motion_from_words": True}} if words else {}
    led = {"render": {"motion_from_clip": True}, "motion": {"finetune": False}} if clip else by_words
    return {"regions": {"layouts": 2, "staged": 0.3, "takes": 4}, **led}


def add_combination(name: str, entry: dict[str, Any], path: Path = PARAMS) -> None:
    """Insert the combination after the last one; InputError if the file is written in a way that this cannot add to."""
    before = path.read_bytes().decode("utf-8")
    after = insert(before, name, entry)
    expected = YAML(typ="safe", pure=True).load(before)
    expected["combinations"][name] = entry
    try:
        right = YAML(typ="safe", pure=True).load(after) == expected
    except Exception:  # whatever the parser says, the text is not what was meant
        right = False
    if not right:
        raise InputError(f"{path}: cannot add to combinations as it is written; write each combination in lines of its own, indented")
    with replacing(path) as aside:
        aside.write_bytes(after.encode("utf-8"))


def insert(text: str, name: str, entry: dict[str, Any]) -> str:
    """`text` with the entry after the last line that belongs to `combinations`."""
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    combinations = YAML().load(text)["combinations"]
    start, column = next((mark[0], mark[1]) for mark in combinations.lc.data.values())
    end = start + 1
    for i, line in enumerate(lines[start:], start):
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent < column:
            break
        end = i + 1 if line.strip() else end
    if not lines[end - 1].endswith("\n"):
        lines[end - 1] += newline
    block = textwrap.indent(as_block({name: entry}), " " * column).replace("\n", newline)
    return "".join([*lines[:end], block, *lines[end:]])


def as_block(content: dict[str, Any]) -> str:
    """Plain values as YAML lines, lists indented as in params.yaml."""
    writer, stream = YAML(), StringIO()
    writer.indent(mapping=2, sequence=4, offset=2)
    writer.width = 4096
    writer.representer.add_representer(type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "null"))
    writer.dump(content, stream)
    return stream.getvalue()
