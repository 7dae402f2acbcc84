"""A finetuning that was killed goes on to the same bits, and never from another one's checkpoint."""

from pathlib import Path

import pytest
import torch

from tests.helpers.training import Killed, make_data, make_fresh_trainee, make_settings, parts_of
from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.customisation.visual_adapter import VisualAdapter
from vd_core.methods.disen_mix import train
from vd_core.training import loop
from vd_core.training.checkpoints import CheckpointClock, load_checkpoint, save_checkpoint
from vd_core.training.data import FinetuningData
from vd_core.training.loop import Progress
from vd_core.training.step import named_trainable


def test_resume_ends_with_the_same_bits(base: Base, tmp_path: Path, base_folders: dict, kind: str) -> None:
    """Kill after step 3, start again from a fresh process's view: the final weights equal those of a run that was never killed."""
    data = make_data(base)
    results = []
    for killed in (False, True):
        fresh = load_base(folder_source(base_folders[kind]), torch.device("cpu"))
        adapter = make_fresh_trainee(fresh)
        if killed:
            stop_after(fresh, adapter, data, tmp_path / "b", 3)
            fresh = load_base(folder_source(base_folders[kind]), torch.device("cpu"))
            adapter = make_fresh_trainee(fresh)
        train(fresh, adapter, data, make_settings(), Progress(tmp_path / ("b" if killed else "a")))
        results.append({k: p.detach().clone() for k, p in named_trainable(parts_of(fresh, adapter)).items()})
    assert all(torch.equal(results[0][k], results[1][k]) for k in results[0])


def stop_after(base: Base, adapter: VisualAdapter, data: FinetuningData, folder: Path, steps: int, steps_in_all: int = 6) -> None:
    """Train with a checkpoint after every step, and die in the step after `steps`."""
    calls = 0

    def save(*args, **kwargs) -> None:
        nonlocal calls
        save_checkpoint(*args, **kwargs)
        calls += 1
        if calls == steps:
            raise Killed

    patch = pytest.MonkeyPatch()
    patch.setattr(CheckpointClock, "is_due", lambda self: True)
    patch.setattr(loop, "save_checkpoint", save)
    with pytest.raises(Killed):
        train(base, adapter, data, make_settings(schedule={"steps": steps_in_all}), Progress(folder))
    patch.undo()


def test_another_runs_checkpoint_is_ignored(tmp_path: Path) -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([parameter])
    parameter.sum().backward()
    optimizer.step()
    save_checkpoint(tmp_path / "s.safetensors", {"p": parameter}, optimizer, 5, "mine")
    assert load_checkpoint(tmp_path / "s.safetensors", {"p": parameter}, optimizer, "mine") == (5, [])
    assert load_checkpoint(tmp_path / "s.safetensors", {"p": parameter}, optimizer, "yours") == (0, [])


def test_a_checkpoint_on_another_base_is_ignored(base: Base, tmp_path: Path, base_folders: dict, kind: str) -> None:
    """Frozen weights decide too: a run that was killed, and restarted on another U-Net with the same autoencoder, went on from the other's state."""
    stop_after(base, make_fresh_trainee(base), make_data(base), tmp_path / "killed", 3)
    results = []
    for folder in ("killed", "fresh"):
        other = load_base(folder_source(base_folders[kind]), torch.device("cpu"))
        with torch.no_grad():
            other.unet.conv_in.weight += 0.1
        adapter = make_fresh_trainee(other)
        train(other, adapter, make_data(other), make_settings(), Progress(tmp_path / folder))
        results.append({k: p.detach().clone() for k, p in named_trainable(parts_of(other, adapter)).items()})
    assert all(torch.equal(results[0][k], results[1][k]) for k in results[0])


def test_a_killed_trainings_log_is_that_of_one_that_was_not_killed(tmp_path: Path, base_folders: dict[str, Path]) -> None:
    """Killed in the middle of a window of ten steps: the losses of its first half count in its mean."""
    logs = []
    for killed in (False, True):
        folder = tmp_path / str(killed)
        for attempt in range(1 + killed):
            base = load_base(folder_source(base_folders["sd1"]), torch.device("cpu"))
            adapter, data = make_fresh_trainee(base), make_data(base)
            if killed and not attempt:
                stop_after(base, adapter, data, folder, 3, steps_in_all=10)
            else:
                train(base, adapter, data, make_settings(schedule={"steps": 10}), Progress(folder))
        logs.append((folder / "losses.csv").read_text())
    assert logs[0] == logs[1] and len(logs[0].splitlines()) == 2
