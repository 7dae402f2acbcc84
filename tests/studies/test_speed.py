"""What `make bench` times does the same work: equal losses, step by step."""

from pathlib import Path

import pytest
import torch

from tests.helpers.pictures import noise_picture
from vd_core.bases.stable_diffusion import Base
from vd_core.inputs.subjects import Subject
from vd_core.studies.speed import FIGURES, Stepper, build_bench, versions_of
from vd_core.studies.timing import summarise


def test_both_versions_of_a_pair_have_the_same_loss(base: Base) -> None:
    side = (base.resolution,) * 2
    subjects = [Subject("dog", "dog", "sks", Path()), Subject("cat", "cat", "krk", Path())]
    pictures = [[noise_picture(10 * s + i, side) for i in range(2 + s)] for s in range(2)]
    bench = build_bench(base, subjects, pictures, [noise_picture(90 + i, side) for i in range(5)], lora_rank=2)
    for figure in FIGURES:
        versions = versions_of(bench, figure, torch.float32)
        ours, peer = versions["ours"], versions["peer"]
        for seed in range(3):
            losses = [v.loss(torch.Generator().manual_seed(seed)).item() for v in (ours, peer)]
            assert losses[0] == pytest.approx(losses[1], rel=1e-5), figure
        before = [p.detach().clone() for p in ours.bench.visual_adapter.parameters()]
        Stepper(ours, torch.float32).step(0)
        moved = any(not torch.equal(a, b) for a, b in zip(before, ours.bench.visual_adapter.parameters(), strict=True))
        assert moved == (figure == "train_vs_literal")


def test_a_ratio_says_how_many_times_faster_ours_is() -> None:
    figures = summarise(ours=[1.0, 1.0, 2.0], peer=[2.0, 4.0, 6.0])
    assert figures == {"ratio": 3.0, "pairs": 3, "spread": [2.0, 4.0]}
