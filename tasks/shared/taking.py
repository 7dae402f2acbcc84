"""A combination that takes another's finetuned subjects (`finetune_from`): what its own training stages leave."""

from tasks.shared.command import replaced_folder
from vd_core.files import write_json


def take(owner: str, name: str, stage: str) -> None:
    """Leave a folder that names whose subjects they are."""
    with replaced_folder(name, stage) as folder:
        write_json(folder / "taken.json", {"finetune_from": owner})
    print(f"the subjects of {name} are those of {owner}: nothing to do")
