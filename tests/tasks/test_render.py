"""Clips are rendered in batches by what fits, each with its own prompt and seed."""

import weakref
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.render import generate_batches
from tasks.shared.opening import open_base
from tasks.shared.picks import Picks, write_picks
from tests.helpers.workspace import change_combination, run_stages
from vd_core.bases import memory
from vd_core.bases.memory import KEPT_MAPS, clips_at_once, map_bytes
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.guides import Guides


@pytest.mark.parametrize("batch", [1, 2, 3, 6, 10])
def test_every_clip_has_its_own_prompt_and_seed(batch: int) -> None:
    """Two tries of three prompts; the prompts' embeddings are 1, 2, 3, the empty one's 0."""
    sizes = []

    def generate(prompt_embeds: torch.Tensor, seeds: list[int], guides: Guides) -> torch.Tensor:
        assert len(guides.moves) == len(seeds)
        assert int(prompt_embeds[0]) == 0
        sizes.append(len(seeds))
        return prompt_embeds[1:] * 100 + torch.tensor(seeds)

    clips = list(generate_batches(generate, torch.arange(4), [10, 11, 20, 21, 30, 31], Guides(None, [None] * 3), batch))
    assert [(int(clip), seed) for clip, seed in clips] == [(110, 10), (111, 11), (220, 20), (221, 21), (330, 30), (331, 31)]
    assert max(sizes) == min(batch, 6)


def test_as_many_clips_at_once_as_fit(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CPU_BYTES", 40 * KEPT_MAPS * map_bytes(base))
    assert [clips_at_once(base, frames) for frames in (2, 5, 20, 64)] == [10, 4, 1, 1]


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
@pytest.mark.parametrize("staged", [0, 0.3])
def test_of_two_generators_one_base_is_held_at_a_time(workspace: Path, monkeypatch: pytest.MonkeyPatch, staged: float) -> None:
    """The first one's was still there while the second one's was read: a GPU of 8 GB had two U-Nets in it."""
    opened: list[weakref.ref[Base]] = []

    def open_and_watch(*arguments: Any, **options: Any) -> Base:
        assert not any(base() for base in opened)
        base = open_base(*arguments, **options)
        opened.append(weakref.ref(base))
        return base

    monkeypatch.setattr("tasks.render.open_base", open_and_watch)
    change_combination({"prompts": [{"scene": "in the snow", "subjects": {"dog": "", "car": ""}}], "regions": {"staged": staged}})
    write_picks(Picks(approval="skip", chosen_by="nobody"), Path("picks/toys.yaml"))
    run_stages("mix", "finetune", "sample", "refinetune", "motion", "swap", "render")
    assert len(opened) == 2
