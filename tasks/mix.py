"""data/<combination> → runs/<combination>/mix: everything that later stages read of what a person gave, prepared once.

`subjects/` each subject's squares, `mixed/` the mixed dataset D_mix (Eq. 6), `clip/` the reference clip's frames, `references/` what the
subjects look like to the judges. Four outputs, so that a stage reruns only when the output that it reads changes.
"""

from pathlib import Path

from PIL import Image
from safetensors.torch import save_file

from tasks.shared.command import replaced_folder, run_stage
from tasks.shared.judging import open_judges, require_judges
from tasks.shared.paths import data_folder, run_folder
from tasks.shared.sections import MixSection
from vd_core.errors import InputError
from vd_core.files import sha256_of, write_json
from vd_core.inputs.clips import load_clip
from vd_core.inputs.mixing import draw_mixtures, mix_pictures
from vd_core.inputs.pictures import contact_sheet, find_pictures, load_square
from vd_core.inputs.subjects import Subject, load_subjects
from vd_core.metrics.fidelity import refer_to
from vd_core.metrics.report import to_unit


def mix(section: MixSection, name: str) -> None:
    """Prepare the subjects' pictures, the mixed dataset, the clip and the judges' references of one combination."""
    require_judges(section.judging)
    subjects = load_subjects(data_folder(name), section.subjects, section.placeholder_tokens)
    paths = [find_pictures(s.folder) for s in subjects]
    pictures = [[load_square(p, section.resolution) for p in own] for own in paths]
    clip = load_reference(name, section)
    mixtures = draw_mixtures([len(own) for own in pictures], section.count, section.seed)
    mixed = [mix_pictures([own[m] for own, m in zip(pictures, chosen, strict=True)], section.resolution) for chosen in mixtures]
    judges = open_judges(section.judging)
    references = {s.name: refer_to(judges, s.class_noun, to_unit(own)).embeddings for s, own in zip(subjects, pictures, strict=True)}
    with replaced_folder(name, "mix") as folder:
        write_subjects(folder / "subjects", subjects, paths, pictures, section.resolution)
        save_pictures(mixed, folder / "mixed")
        chosen_files = [[own[m].name for own, m in zip(paths, chosen, strict=True)] for chosen in mixtures]
        write_json(folder / "mixed" / "sources.json", chosen_files)
        save_pictures(clip, folder / "clip")
        write_json(folder / "clip" / "about.json", {"frames": len(clip), "resolution": section.resolution})
        (folder / "references").mkdir()
        save_file(references, folder / "references" / "references.safetensors")
        contact_sheet([mixed[i : i + 8] for i in range(0, len(mixed), 8)]).save(folder / "sheet.jpg", quality=90)
    print(f"{len(mixed)} mixed pictures of {len(subjects)} subjects in {run_folder(name, 'mix')}/")


def load_reference(name: str, section: MixSection) -> list[Image.Image]:
    """The frames of the combination's reference clip; none if it has no motion prompt."""
    if section.clip_frames is None:
        return []
    path = data_folder(name) / "motion.mp4"
    if not path.is_file():
        raise InputError(f"{path} is missing; put the clip there, or set params.yaml: combinations.{name}.motion_prompt to null")
    return load_clip(path, section.clip_frames, section.resolution)


def write_subjects(
    folder: Path, subjects: list[Subject], paths: list[list[Path]], pictures: list[list[Image.Image]], resolution: int
) -> None:
    """Write the squares, and what they were made of."""
    for subject, own in zip(subjects, pictures, strict=True):
        save_pictures(own, folder / subject.name)
    rows = [
        {
            "name": s.name,
            "class_noun": s.class_noun,
            "placeholder_token": s.placeholder_token,
            "pictures": [{"source": p.name, "sha256": sha256_of(p)} for p in own],
        }
        for s, own in zip(subjects, paths, strict=True)
    ]
    write_json(folder / "about.json", {"resolution": resolution, "subjects": rows})


def save_pictures(pictures: list[Image.Image], folder: Path) -> None:
    """Write pictures as PNGs, numbered from 000."""
    folder.mkdir(parents=True)
    for i, picture in enumerate(pictures):
        picture.save(folder / f"{i:03d}.png")


if __name__ == "__main__":
    run_stage(mix, MixSection)
