"""What 16 bits cost: the rounding itself, and the paired difference."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tasks.commands.precision import FIGURES, compare
from vd_core.studies.claims import Table
from vd_core.studies.rounded import ROUNDED, round_weights

TOYBOX = Path(__file__).parents[2] / "models" / "toybox"


def test_what_is_frozen_in_16_bits_is_rounded_and_nothing_else(tmp_path: Path) -> None:
    round_weights(TOYBOX, tmp_path)
    for path in sorted(TOYBOX.rglob("*.safetensors")):
        before, after = load_file(path), load_file(tmp_path / path.relative_to(TOYBOX))
        frozen = path.relative_to(TOYBOX).parts[0] in ROUNDED
        assert before.keys() == after.keys()
        for key, value in before.items():
            expected = value.to(torch.bfloat16).float() if frozen and value.is_floating_point() else value
            assert torch.equal(after[key], expected), key
    unet = Path("unet/diffusion_pytorch_model.safetensors")
    assert any(not torch.equal(v.float(), load_file(tmp_path / unet)[k]) for k, v in load_file(TOYBOX / unet).items())


def rows(values: np.ndarray) -> list[dict]:
    """`values` `[combinations, pictures]` of every figure as one finetuning's rows."""
    return [
        {**dict.fromkeys(FIGURES, float(values[c, p])), "subjects": 2, "combination": f"c{c}", "training_seed": 0, "method": "disen_mix"}
        for c, p in np.ndindex(*values.shape)
    ]


def test_the_difference_is_of_pairs() -> None:
    """Combinations differ far more than the two precisions do; the interval is of what the precision changes alone."""
    plain = np.random.default_rng(0).normal(0.5, 0.2, (3, 12))
    table: Table = {"float32": rows(plain), "bf16": rows(plain - 0.05)}
    found = compare(table)["subject_fidelity"]
    assert found["difference"] == pytest.approx(-0.05) and found["ci95"] == pytest.approx([-0.05, -0.05], abs=1e-3)
    assert compare({"float32": rows(plain), "bf16": rows(plain)})["binding"]["ci95"] == [0, 0]
