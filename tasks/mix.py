"""data/<combination> → runs/<combination>/mix: everything that later stages read of what a person gave, prepared once.

`subjects/` each subject's squares, `mixed/` the mixed dataset D_mix (Eq. 6) and in `cutouts/` the subjects cut out, `clip/` the reference clip's frames and the subjects' nouns,
`references/` what the subjects look like to the judges. Four outputs, so that a stage reruns only when the output that it reads changes.
"""

from pathlib import Path

from PIL import Image
from safetensors.torch import save_file

from tasks.shared.command import replaced_folder, run_stage
from tasks.shared.judging import open_judges, require_judges
from tasks.shared.likeness import explain_likeness
from tasks.shared.paths import data_folder, run_folder
from tasks.shared.scattering import write_scattered
from tasks.shared.sections import MixSection
from vd_core.errors import InputError
from vd_core.files import sha256_of, write_json
from vd_core.inputs.bars import crop_bars
from vd_core.inputs.clips import find_clip, load_clip
from vd_core.inputs.crop import crop_to_square
from vd_core.inputs.inspecting import Inspection, inspect_pictures, use_all
from vd_core.inputs.mixing import draw_mixtures, mix_pictures
from vd_core.inputs.pictures import labelled_sheet, load_picture, load_square
from vd_core.inputs.subjects import Subject, load_subjects
from vd_core.metrics.fidelity import refer_to
from vd_core.metrics.find_subject import find_subject
from vd_core.metrics.judges import Judges
from vd_core.metrics.nouns import known_noun
from vd_core.metrics.report import to_unit
from vd_core.metrics.scatter_subjects import scatter_pictures


def mix(section: MixSection, name: str) -> None:
    """Prepare the subjects' pictures, the mixed dataset, the clip and the judges' references of one combination."""
    subjects = load_subjects(data_folder(section.finetune_from), section.subjects, section.placeholder_tokens)
    require_judges(section.judging, subjects)
    inspections = [inspect_pictures(s.folder) for s in subjects]
    paths = use_all(inspections)
    print_notes(inspections)
    if said := explain_likeness(section.judging.judges, section.resolution, [i.longest_side for i in inspections]):
        print(said)
    judges = open_judges(section.judging, section.device, subjects)
    pictures = [make_squares(judges, s, own, section) for s, own in zip(subjects, paths, strict=True)]
    clip = load_reference(name, section)
    mixtures = draw_mixtures([len(own) for own in pictures], section.count, section.seed)
    mixed = [mix_pictures([own[m] for own, m in zip(pictures, chosen, strict=True)], section.resolution) for chosen in mixtures]
    scattered = scatter_pictures(judges, subjects, pictures, section.cutouts, section.seed, section.resolution)
    references = {s.name: refer_to(judges, s.class_noun, to_unit(own)).embeddings for s, own in zip(subjects, pictures, strict=True)}
    with replaced_folder(name, "mix") as folder:
        write_subjects(folder / "subjects", subjects, paths, pictures, section.resolution)
        save_pictures(mixed, folder / "mixed")
        chosen_files = [[own[m].name for own, m in zip(paths, chosen, strict=True)] for chosen in mixtures]
        write_json(folder / "mixed" / "sources.json", chosen_files)
        write_scattered(scattered, folder / "mixed" / "cutouts")
        save_pictures(clip, folder / "clip")
        about = {"frames": len(clip), "resolution": section.resolution, "class_nouns": [s.class_noun for s in subjects]}
        write_json(folder / "clip" / "about.json", about)
        (folder / "references").mkdir()
        save_file(references, folder / "references" / "references.safetensors")
        rows = {s.name: own for s, own in zip(subjects, pictures, strict=True)} | {"mixed": mixed}
        rows |= {"cut-outs": [Image.fromarray(s.picture) for s in scattered]} if scattered else {}
        labelled_sheet(rows).save(folder / "sheet.jpg", quality=90)
    print(f"{len(mixed)} mixed pictures of {len(subjects)} subjects in {run_folder(name, 'mix')}/")


def make_squares(judges: Judges, subject: Subject, paths: list[Path], section: MixSection) -> list[Image.Image]:
    """A subject's squares; with crop: subject around what the detector finds of its noun, and the middle square where it finds nothing."""
    if section.crop == "center":
        return [load_square(p, section.resolution) for p in paths]
    noun = known_noun(judges.labels, subject.class_noun)
    pictures = [crop_bars(load_picture(p)) for p in paths]
    boxes = [find_subject(judges, p, subject.class_noun) if noun else None for p in pictures]
    missed = ", ".join(p.name for p, box in zip(paths, boxes, strict=True) if not box)
    if noun is None:
        print(f"{subject.folder}: '{subject.class_noun}' is not among the detector's nouns; the middle squares are used: {missed}")
    elif missed:
        print(f"{subject.folder}: no {noun} was found, so the middle square is used: {missed}")
    return [crop_to_square(p, box, section.resolution) for p, box in zip(pictures, boxes, strict=True)]


def load_reference(name: str, section: MixSection) -> list[Image.Image]:
    """The frames of the combination's reference clip; none if it has no motion prompt."""
    if section.clip_frames is None:
        return []
    path = find_clip(data_folder(name))
    if path is None:
        missing = data_folder(name) / "motion.mp4"
        raise InputError(f"{missing} is missing; put the clip there, or set params.yaml: combinations.{name}.motion_prompt to null")
    clip = load_clip(path, section.clip_frames, section.resolution)
    print(f"{path}: {len(clip.frames)} of {clip.total} frames")
    for note in clip.notes:
        print(f"  {note}")
    return clip.frames


def print_notes(inspections: list[Inspection]) -> None:
    """Say once what was read of each subject."""
    for inspection in inspections:
        count = len(inspection.accepted)
        print(f"{inspection.folder}: {count} picture{'s' * (count != 1)}")
        for note in inspection.notes():
            print(f"  {note}")


def write_subjects(
    folder: Path, subjects: list[Subject], paths: list[tuple[Path, ...]], pictures: list[list[Image.Image]], resolution: int
) -> None:
    """Write the squares, and what they were made of."""
    for subject, own in zip(subjects, pictures, strict=True):
        save_pictures(own, folder / subject.name)
    rows = [
        {
            "name": s.name,
            "class_noun": s.class_noun,
            "placeholder_token": s.placeholder_token,
            "folder": s.folder.as_posix(),
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
