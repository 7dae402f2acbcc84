"""Clips are rendered in batches by what fits, each with its own prompt and seed."""

import shutil
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.render import generate_batches
from tasks.shared.opening import open_base
from tasks.shared.picks import Picks, write_picks
from tests.helpers.workspace import change, change_combination, run_stages
from vd_core.bases import memory
from vd_core.bases.memory import KEPT_MAPS, clips_at_once, map_bytes
from vd_core.bases.stable_diffusion import Base
from vd_core.generation.guides import Guides
from vd_core.inputs.clips import save_frames


@pytest.mark.parametrize("batch", [1, 2, 3, 6, 10])
def test_every_clip_has_its_own_prompt_and_seed(batch: int) -> None:
    """Two tries of three prompts; the prompts' embeddings are 1, 2, 3, the empty one's 0."""
    sizes = []

    def generate(prompt_embeds: torch.Tensor, seeds: list[int], guides: Guides) -> torch.Tensor:
        assert len(guides.moves) == len(seeds)
        assert int(prompt_embeds[0]) == 0
        sizes.append(len(seeds))
        return prompt_embeds[1:] * 100 + torch.tensor(seeds)

    clips = list(generate_batches(generate, torch.arange(4), [10, 11, 20, 21, 30, 31], Guides(None, [None] * 3, [False] * 3), batch, set()))
    assert [(int(clip), seed) for clip, seed in clips] == [(110, 10), (111, 11), (220, 20), (221, 21), (330, 30), (331, 31)]
    assert max(sizes) == min(batch, 6)


@pytest.mark.parametrize(
    ("batch", "finished", "calls"), [(2, {0}, [[20, 21], [30, 31]]), (3, {0}, [[10, 11, 20], [21, 30, 31]]), (3, {0, 1, 2}, [])]
)
def test_calls_whose_clips_are_finished_are_left_out_whole(batch: int, finished: set[int], calls: list[list[int]]) -> None:
    """A call is never made smaller: its clips would have other bytes."""
    made: list[list[int]] = []

    def generate(prompt_embeds: torch.Tensor, seeds: list[int], guides: Guides) -> torch.Tensor:
        made.append(seeds)
        return prompt_embeds[1:] * 100 + torch.tensor(seeds)

    clips = generate_batches(generate, torch.arange(4), [10, 11, 20, 21, 30, 31], Guides(None, [None] * 3, [False] * 3), batch, finished)
    assert [seed for _, seed in clips] == [seed for seed in (10, 11, 20, 21, 30, 31) if seed // 10 - 1 not in finished]
    assert made == calls


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of all files under a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_a_render_that_was_ended_goes_on_with_the_same_bytes(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was ended while it wrote the third of four videos. Other settings begin anew."""
    written: list[str] = []

    def save_until(last: int) -> None:
        def save(frames: torch.Tensor, folder: Path) -> None:
            save_frames(frames, folder)
            written.append(folder.name)
            if len(written) == last:
                raise KeyboardInterrupt

        written.clear()
        monkeypatch.setattr("tasks.render.save_frames", save)

    change_combination({"prompts": ["in the snow", "in the city"]})
    write_picks(Picks(approval="skip", chosen_by="nobody"), Path("picks/toys.yaml"))
    run_stages("mix", "finetune", "sample", "refinetune", "motion", "swap", "render")
    whole = contents(Path("runs/toys/render"))
    shutil.rmtree("runs/toys/render")
    save_until(3)
    with pytest.raises(KeyboardInterrupt):
        run_stages("render")
    assert not Path("runs/toys/render").exists()
    save_until(0)
    run_stages("render")
    assert written == ["animatediff-00", "animatediff-01"] and contents(Path("runs/toys/render")) == whole
    assert [p.name for p in Path("runs/toys").glob(".render*")] == []
    save_until(3)
    with pytest.raises(KeyboardInterrupt):
        run_stages("render")
    change("render", {"animatediff_frames": 3})
    save_until(0)
    run_stages("render")
    assert len(written) == 4


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
