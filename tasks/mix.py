"""data/<combination> → runs/<combination>/mix: the mixed dataset D_mix (Eq. 6) and its contact sheet."""

import json

from tasks.shared.command import open_subjects, replaced_folder, run_folder, run_stage
from tasks.shared.params import Params
from vd_core.bases.stable_diffusion import find_source, read_resolution
from vd_core.inputs.mixing import draw_mixtures, mix_pictures
from vd_core.inputs.pictures import contact_sheet, find_pictures, load_square


def mix(params: Params, name: str) -> None:
    """Build the mixed dataset of one combination."""
    _, subjects = open_subjects(params, name)
    resolution = read_resolution(find_source(params.base))
    paths = [find_pictures(s.folder) for s in subjects]
    pictures = [[load_square(p, resolution) for p in own] for own in paths]
    mixtures = draw_mixtures([len(own) for own in pictures], params.mix.count, params.seed)
    with replaced_folder(run_folder(name, "mix")) as folder:
        mixed = [mix_pictures([own[m] for own, m in zip(pictures, chosen, strict=True)], resolution) for chosen in mixtures]
        for i, picture in enumerate(mixed):
            picture.save(folder / f"{i:03d}.png")
        sources = [[str(own[m]) for own, m in zip(paths, chosen, strict=True)] for chosen in mixtures]
        (folder / "sources.json").write_text(json.dumps(sources, indent=1) + "\n")
        contact_sheet([mixed[i : i + 8] for i in range(0, len(mixed), 8)]).save(folder / "sheet.jpg", quality=90)
    print(f"{len(mixed)} mixed pictures of {len(subjects)} subjects in {run_folder(name, 'mix')}/")


if __name__ == "__main__":
    run_stage(mix)
