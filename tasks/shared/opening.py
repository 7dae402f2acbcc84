"""A stage's base, opened on its device."""

from accelerate import PartialState

from tasks.shared.locating import require
from tasks.shared.paths import CACHE
from tasks.shared.sections import Models
from vd_core.bases.device import choose_device, choose_dtype
from vd_core.bases.memory import return_freed_maps
from vd_core.bases.stable_diffusion import Base, load_base
from vd_core.bases.wanted import wanted_parts
from vd_core.inputs.subjects import Subject, check_placeholder_tokens


def open_base(models: Models, device: str, subjects: list[Subject], motion: bool = False) -> Base:
    """The base of a section on its device, with its motion modules if `motion`, its precision decided here and said once.

    InputError if weights are missing, or if a subject's placeholder is not one token of its tokenizer.
    """
    require(wanted_parts(models.source, motion))
    chosen = choose_device(device)
    PartialState(cpu=chosen.type == "cpu")  # each process that accelerate launched takes its own GPU
    dtype = choose_dtype(models.precision, chosen)
    print(f"precision: {str(dtype).removeprefix('torch.')} on {chosen.type}")
    base = load_base(models.source, chosen, CACHE / "latents", dtype)
    return_freed_maps(base)
    check_placeholder_tokens(subjects, base.tokenizer)
    return base
