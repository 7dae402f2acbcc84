"""What a command says where a device's memory is full: whose it is, and which settings need less."""

import numpy as np
import pytest
import torch
import yaml

from tasks.settings import build_sections
from tasks.shared.exits import SPARING, as_line
from tasks.shared.merging import merge
from tasks.shared.params import Params
from tests.helpers.params import plain_params

GPU = "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 7.79 GiB of which 8.62 MiB is free."


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError(GPU), RuntimeError("CUDA error: out of memory"), RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED")],
)
def test_a_full_gpu(error: Exception) -> None:
    """What people with GPUs meet first was a traceback."""
    assert as_line(error, "motion") == (
        "the GPU's memory is full; end other programs that use it, or set in params.yaml motion: {finetune: false}"
    )
    assert as_line(error, "sample") == "the GPU's memory is full; end other programs that use it"


def test_a_full_computer() -> None:
    for ask in (lambda: torch.empty(2**50), lambda: np.empty(2**50)):
        with pytest.raises((RuntimeError, MemoryError)) as caught:
            ask()
        assert as_line(caught.value) == "the computer's memory is full; end other programs that use it"


def test_other_errors_keep_their_traceback() -> None:
    assert as_line(RuntimeError("size 48 is more than 32"), "render") is None


@pytest.mark.parametrize("stage", SPARING)
def test_what_is_advised_can_be_set(stage: str) -> None:
    params = plain_params()
    before = getattr(build_sections(merge(Params.model_validate(params), "toys")), stage)
    params["combinations"]["toys"] |= yaml.safe_load(SPARING[stage])
    assert getattr(build_sections(merge(Params.model_validate(params), "toys")), stage) != before
