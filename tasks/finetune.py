"""mix → runs/<combination>/finetune: the subjects' LoRA and visual adapter by Disen-Mix finetuning, or another method's weights."""

from functools import partial

from tasks.shared.command import replaced_folder, run_stage
from tasks.shared.judging import require_judges
from tasks.shared.opening import open_base
from tasks.shared.paths import run_folder
from tasks.shared.prepared import read_mixed, read_prepared
from tasks.shared.progress import forget_progress, launch, open_progress, publish_curves, publish_progress
from tasks.shared.scattering import read_scattered
from tasks.shared.sections import FinetuneSection
from tasks.shared.taking import take
from tasks.shared.validating import validated
from vd_core.methods import disen_mix
from vd_core.methods.named import METHODS


def finetune(section: FinetuneSection, name: str) -> None:
    """Finetune the base on one combination by the method that the settings name."""
    if section.finetune_from != name:
        take(section.finetune_from, name, "finetune")
        publish_curves(name, "finetune", None)
        return
    if launch("tasks.finetune", name, section.processes):
        return
    prepared = read_prepared(name)
    if section.training.validation.every:
        require_judges(section.judging, prepared.subjects)
    base = open_base(section.models, section.device, prepared.subjects)
    progress = validated(open_progress(name, "finetune"), name, section, base, prepared.subjects)
    with replaced_folder(name, "finetune") as folder:
        train = METHODS[section.method]
        if section.method == "disen_mix":
            train = partial(disen_mix.finetune, scattered=read_scattered(name))
        train(base, prepared.subjects, prepared.pictures, read_mixed(name), section.training, progress, folder)
        publish_progress(progress, folder, f"finetuning, {section.method}")
    publish_curves(name, "finetune", run_folder(name, "finetune"))
    forget_progress(progress)


if __name__ == "__main__":
    run_stage(finetune, FinetuneSection)
