"""mix, finetune, sample, picks → runs/<combination>/refinetune: finetuned again on the picked pictures (III-D)."""

import shutil

from tasks.shared.command import replaced_folder, run_stage
from tasks.shared.judging import require_judges
from tasks.shared.opening import open_base
from tasks.shared.paths import picks_path, run_folder
from tasks.shared.picks import read_candidates, read_picks, resolve_picks
from tasks.shared.prepared import read_prepared
from tasks.shared.progress import forget_progress, launch, open_progress, publish_curves, publish_progress
from tasks.shared.sections import RefinetuneSection
from tasks.shared.taking import take
from tasks.shared.validating import validated
from vd_core.files import sha256_of, write_json
from vd_core.inputs.pictures import load_picture
from vd_core.methods.disen_mix import refinetune as refinetune_disen_mix


def refinetune(section: RefinetuneSection, name: str) -> None:
    """Finetune again with Eq. 10: the picks replace D_mix, and P_c replaces P'_c, since the picks have no stitches."""
    if section.finetune_from != name:
        take(section.finetune_from, name, "refinetune")
        publish_curves(name, "refinetune", None)
        return
    if launch("tasks.refinetune", name, section.processes):
        return
    prepared, before = read_prepared(name), run_folder(name, "finetune")
    candidates = read_candidates(run_folder(name, "sample"))
    paths = resolve_picks(read_picks(picks_path(name)), candidates, section.min_picks)
    if not paths or section.method != "disen_mix":
        with replaced_folder(name, "refinetune") as folder:
            shutil.copytree(before, folder, dirs_exist_ok=True)
        publish_curves(name, "refinetune", None)
        reason = "approval: skip" if not paths else "re-finetuning supports disen_mix only"
        print(f"{reason}; keeping the finetuned weights")
        return
    if section.training.validation.every:
        require_judges(section.judging, prepared.subjects)
    base = open_base(section.models, section.device, prepared.subjects)
    progress = validated(open_progress(name, "refinetune"), name, section, base, prepared.subjects)
    picked = [load_picture(p) for p in paths]
    with replaced_folder(name, "refinetune") as folder:
        refinetune_disen_mix(base, prepared.subjects, prepared.pictures, picked, before, section.training, progress, folder)
        publish_progress(progress, folder, "Re-finetuning on the picks")
        write_json(folder / "picked.json", [{"file": p.name, "sha256": sha256_of(p)} for p in paths])
    publish_curves(name, "refinetune", run_folder(name, "refinetune"))
    forget_progress(progress)


if __name__ == "__main__":
    run_stage(refinetune, RefinetuneSection)
