"""Who finds subjects in what a stage draws of them alone, and keeps the most alike."""

from tasks.shared.judging import open_judges, read_references
from tasks.shared.params import Regions
from tasks.shared.sections import Device, Judging
from vd_core.generation.staging import Director
from vd_core.inputs.subjects import Subject
from vd_core.metrics.find_subject import alike_with, find_with


def hire_director(name: str, judging: Judging, device: Device, subjects: list[Subject], regions: Regions, held: bool = False) -> Director:
    """A combination's director, with the stage's judges; InputError if they cannot be found or fetched."""
    judges = open_judges(judging, device, subjects)
    alike = alike_with(judges, read_references(name, subjects))
    return Director(find_with(judges), subjects, regions.staged, regions.takes, alike, held)
