"""A stage's judges, and what the subjects look like to them."""

from collections.abc import Callable
from functools import partial

from safetensors.torch import load_file

from tasks.shared.locating import require
from tasks.shared.paths import run_folder
from tasks.shared.sections import Device, Judging
from vd_core.bases.device import choose_device
from vd_core.inputs.subjects import Subject
from vd_core.metrics.fidelity import SubjectReference
from vd_core.metrics.judges import Judges
from vd_core.metrics.report import judge_picture, load_judges
from vd_core.metrics.wanted import explain_open_detector, wanted_judges


def require_judges(judging: Judging, subjects: list[Subject]) -> None:
    """InputError in one line if a judge of these subjects is neither here nor to be fetched."""
    require(wanted_judges(judging.judges, [s.class_noun for s in subjects]))


def open_judges(judging: Judging, device: Device, subjects: list[Subject]) -> Judges:
    """The judges of a section and its subjects on the stage's device; InputError if they cannot be found or fetched."""
    return open_judges_of(judging, device, [s.class_noun for s in subjects])


def open_judges_of(judging: Judging, device: Device, nouns: list[str]) -> Judges:
    """The judges for class nouns; InputError if they cannot be found or fetched."""
    require(wanted_judges(judging.judges, nouns))
    if said := explain_open_detector(judging.judges, nouns):
        print(said)
    return load_judges(judging.judges, choose_device(device), nouns)


def read_references(name: str, subjects: list[Subject]) -> list[SubjectReference]:
    """What the subjects look like to the judges, as the mix stage wrote it."""
    embeddings = load_file(run_folder(name, "mix") / "references" / "references.safetensors")
    return [SubjectReference(s.class_noun, embeddings[s.name]) for s in subjects]


def open_picture_judge(name: str, judging: Judging, device: Device, subjects: list[Subject]) -> Callable[..., dict]:
    """`judge_picture` with the judges and the subjects' references in place: (picture, prompt) to figures."""
    return partial(judge_picture, open_judges(judging, device, subjects), subjects=read_references(name, subjects))
