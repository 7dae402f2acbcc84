"""Random numbers by name: seeds that differ make a difference, and no two things of a run draw the same numbers."""

import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from tasks.settings import build_sections
from tasks.shared.merging import load_params, merge
from tasks.shared.picks import Picks, write_picks
from tests.helpers.training import make_data, make_fresh_trainee, make_settings
from tests.helpers.workspace import change, change_combination, run_stages
from vd_core.bases.stable_diffusion import folder_source, load_base
from vd_core.methods.disen_mix import train as train_disen_mix
from vd_core.seeds import generator_for, seed_for
from vd_core.training.loop import Progress


def test_keys_are_told_apart() -> None:
    keys = [("batch", seed, step, batch, 0) for seed in range(3) for step in range(300) for batch in range(3)]
    keys += [("a", "b"), ("ab",), ("a b",), (1, 2), (12,), ("1", "2"), ("1", 2), (1 << 32,), (0,), (1 << 40,)]
    seeds = [seed_for(*key) for key in keys]
    assert len(set(seeds)) == len(keys)
    assert all(0 <= s < 1 << 32 for s in seeds)
    assert torch.equal(torch.randn(3, generator=generator_for("x", 1)), torch.randn(3, generator=generator_for("x", 1)))
    assert not torch.equal(torch.randn(3, generator=generator_for("x", 1)), torch.randn(3, generator=generator_for("x", 2)))


def test_another_seed_trains_on_other_noise(base_folders: dict[str, Path], tmp_path: Path) -> None:
    """The same untrained LoRA and adapter, seeds 0 and 1: the first losses differ, so the draws do. They did not when seeds were shifted by 32 bits."""
    losses = []
    for seed in (0, 1, 0):
        base = load_base(folder_source(base_folders["sd1"]), torch.device("cpu"))
        folder = tmp_path / str(len(losses))
        train_disen_mix(
            base, make_fresh_trainee(base), make_data(base), make_settings(schedule={"steps": 10, "seed": seed}), Progress(folder)
        )
        losses.append((folder / "losses.csv").read_text())
    assert losses[0] != losses[1]
    assert losses[0] == losses[2]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_no_two_draws_of_a_run_are_seeded_alike(workspace: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every generator of a whole run, from mixed pictures to videos: each seed once."""
    seeded: list[int] = []
    manual_seed = torch.Generator.manual_seed

    class Listening(torch.Generator):
        def manual_seed(self, seed: int) -> torch.Generator:
            seeded.append(seed % (1 << 32))
            return manual_seed(self, seed)

    change("finetune", {"validation": {"every": 3}})
    monkeypatch.setattr(torch, "Generator", Listening)
    run_stages("mix", "finetune", "sample")
    write_picks(Picks(approval="auto", best=2), Path("picks/toys.yaml"))
    run_stages("refinetune", "motion", "swap", "render")
    assert len(seeded) > 20
    assert len(set(seeded)) == len(seeded)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_another_seed_is_another_run(workspace: Path, kind: str) -> None:
    """Candidates of another seed, or of another sampling round, are other pictures; stages have noise of their own."""
    run_stages("mix", "finetune")
    found = set()
    for seed, sampling_round in ((0, 0), (65536, 0), (0, 1)):
        text = Path("params.yaml").read_text()
        Path("params.yaml").write_text(re.sub(r"^seed: \d+", f"seed: {seed}", text, flags=re.MULTILINE))
        change_combination({"sampling_round": sampling_round})
        run_stages("sample")
        found |= {Image.open(p).tobytes() for p in Path("runs/toys/sample").glob("0*.png")}
    assert len(found) == 3 * 3
    sections = build_sections(merge(load_params(), "toys"))
    trainings = (sections.finetune.training.schedule, sections.refinetune.training.schedule, sections.motion.training.schedule)
    assert len({t.seed for t in trainings}) == 3
