"""Weights in another precision: the same numbers, and not twice in memory."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tests.helpers.memory import peak_of
from vd_core.bases.casting import cast_weights

SIDE, LAYERS = 2048, 12  # 200 MB in float32
IMPORTS = """
import torch
from safetensors.torch import load_file
from torch import nn
from vd_core.bases.casting import cast_weights
def read(path, cast):
    weights = load_file(path)
    with torch.device("meta"):
        model = nn.Sequential(*[nn.Linear({side}, {side}, bias=False) for _ in weights])
    model.load_state_dict(weights, assign=True)
    del weights
    return float(cast(model)[0].weight[0, 0])
"""


def test_cast_weights_are_the_same_numbers() -> None:
    model = nn.Sequential(nn.Linear(300, 300), nn.Conv2d(3, 5, 3))
    expected = {k: v.to(torch.bfloat16) for k, v in model.state_dict().items()}
    cast_weights(model, torch.bfloat16)
    torch.testing.assert_close(model.state_dict(), expected, rtol=0, atol=0)


def test_tied_weights_stay_tied_and_whole() -> None:
    model = nn.ModuleList([nn.Linear(300, 300, bias=False), nn.Linear(300, 300, bias=False)])
    model[1].weight = model[0].weight
    expected = model[0].weight.detach().to(torch.bfloat16)
    cast_weights(model, torch.bfloat16)
    assert model[1].weight is model[0].weight
    assert torch.equal(model[1].weight, expected)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="pages are given back on Linux alone")
def test_a_mapped_file_does_not_stay_while_it_is_cast(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file({f"{i}.weight": torch.full((SIDE, SIDE), float(i + 1)) for i in range(LAYERS)}, path)
    imports, half = IMPORTS.format(side=SIDE), path.stat().st_size / 2e6
    value, peak = peak_of(f"read('{path}', lambda m: cast_weights(m, torch.bfloat16))", imports)
    plain, plain_peak = peak_of(f"read('{path}', lambda m: m.to(torch.bfloat16))", imports)
    assert value == plain == float(load_file(path)["0.weight"][0, 0])
    assert peak < 1.5 * half < 2.5 * half < plain_peak
