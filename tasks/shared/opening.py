"""A stage's base, opened on its device."""

from accelerate import PartialState

from tasks.shared.locating import require
from tasks.shared.paths import CACHE
from tasks.shared.sections import Models
from vd_core.bases.stable_diffusion import Base, choose_device, load_base
from vd_core.bases.wanted import wanted_parts
from vd_core.inputs.subjects import Subject, check_placeholder_tokens


def open_base(models: Models, device: str, subjects: list[Subject], motion: bool = False) -> Base:
    """The base of a section on its device; every subject's placeholder checked against its tokenizer."""
    require(wanted_parts(models.source, motion))
    chosen = choose_device(device)
    PartialState(cpu=chosen.type == "cpu")  # each process that accelerate launched takes its own GPU
    base = load_base(models.source, chosen, motion, CACHE / "latents")
    check_placeholder_tokens(subjects, base.tokenizer)
    return base
