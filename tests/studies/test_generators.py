"""What `make bench` compares: at equal settings the same clips, and figures of clips whose truth is known."""

from pathlib import Path

import numpy as np
import pytest
import torch

from vd_core.bases.stable_diffusion import folder_source, load_base
from vd_core.studies.clips import amplitude, choose_scenes, compare_clips
from vd_core.studies.generators import open_version


@pytest.mark.parametrize("generator", ["zero", "animatediff"])
def test_equal_settings_make_equal_clips(generator: str, base_folders: dict[str, Path]) -> None:
    """Every pixel of every frame within 2/255; in fast mode not."""

    def clip_of(version: str) -> torch.Tensor:
        base = load_base(folder_source(base_folders["sd1"]), torch.device("cpu"))
        return open_version(base, generator, version, 3.0, 3)(["a dog"], [1])[0]

    ours, theirs = clip_of("ours_same"), clip_of("peer_same")
    assert float((ours - theirs).abs().max()) * 127.5 < 2
    assert float((clip_of("fast") - ours).abs().max()) * 127.5 > 0.1  # of a random base


def test_scenes_of_one_seed_are_the_same_and_of_another_not() -> None:
    prompts = [[s.prompt for s in choose_scenes(6, seed)] for seed in (0, 0, 10_000)]
    assert prompts[0] == prompts[1] and not set(prompts[0]) & set(prompts[2])


def test_amplitude_is_in_the_toys_heights() -> None:
    still, slid = np.tile([10.0, 40.0, 20.0, 0.0], (8, 1)), np.tile([10.0, 40.0, 20.0, 0.0], (8, 1))
    slid[:, 0] += np.linspace(0, 30, 8)
    assert amplitude(still) == 0 and amplitude(slid) == pytest.approx(1.5) and amplitude(still[:1]) == 0


def test_differences_are_of_pairs() -> None:
    """Pairs that differ by one number have an interval of that number alone, however much they differ among each other."""
    theirs = [{"clip_t": float(i)} for i in range(10)]
    found = compare_clips([{"clip_t": row["clip_t"] + 0.5} for row in theirs], theirs)["clip_t"]
    assert found["difference"] == {"value": 0.5, "n": 10, "ci95": [0.5, 0.5]}
    assert found["ours"]["ci95"][0] < found["ours"]["value"] < found["ours"]["ci95"][1]
