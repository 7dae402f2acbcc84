"""What a trainer is picked for: accumulation, checkpointing, min-SNR, validation that marks the best, a cache that is never stale, several processes."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.helpers.pictures import noise_picture
from tests.helpers.training import Killed, make_data, make_fresh_trainee, make_settings, make_trainee, parts_of, shake_lora
from tests.helpers.workspace import change, run_stages
from vd_core.bases.latents import LatentsCache, encode_picture
from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.customisation.lora import save_lora
from vd_core.customisation.weights import LORA_FILE
from vd_core.methods.disen_mix import train as train_disen_mix
from vd_core.methods.disen_mix import train_step
from vd_core.training.checkpoints import load_parameters
from vd_core.training.data import draw_batch
from vd_core.training.loop import Progress, Trained, build_accelerator, optimise
from vd_core.training.losses import denoising_loss, min_snr_weights
from vd_core.training.step import enable_gradient_checkpointing, named_trainable, weigh


def test_accumulated_batches_are_one_step_on_their_mean(tmp_path: Path) -> None:
    """Two batches accumulated move a weight as AdamW moves it on the mean of their gradients."""
    model = torch.nn.Linear(3, 1)
    literal = torch.nn.Linear(3, 1)
    literal.load_state_dict(model.state_dict())
    inputs = []

    def loss_fn(generator: torch.Generator) -> dict[str, torch.Tensor]:
        inputs.append(torch.randn(4, 3, generator=generator))
        return {"loss": model(inputs[-1]).square().mean()}

    parameters = dict(model.named_parameters())
    groups = [{"params": list(parameters.values()), "lr": 0.1}]
    changes = {"steps": 1, "max_grad_norm": 1e9, "linear_decay": False, "gradient_accumulation": 2}
    schedule = make_settings(schedule=changes).schedule
    accelerator = build_accelerator(schedule, torch.device("cpu"), torch.float32, Progress(tmp_path))
    optimise(accelerator, Trained([model], parameters, groups, 4, "test"), loss_fn, schedule, Progress(tmp_path), "f")
    optimizer = torch.optim.AdamW(literal.parameters(), lr=0.1)
    assert len(inputs) == 2 and not torch.equal(*inputs)
    (sum(literal(x).square().mean() for x in inputs) / 2).backward()
    optimizer.step()
    torch.testing.assert_close(model.state_dict(), literal.state_dict())


def test_gradient_checkpointing_changes_no_gradient(base: Base) -> None:
    adapter = make_trainee(base)
    shake_lora(base)
    batch = draw_batch(make_data(base), torch.Generator().manual_seed(0), 2, 2)
    parts = parts_of(base, adapter)
    found = []
    for spare in (False, True):
        if spare:
            enable_gradient_checkpointing(parts)
            assert base.unet.is_gradient_checkpointing and base.text_encoder.is_gradient_checkpointing
        losses = train_step(base, parts, batch, torch.Generator().manual_seed(5), make_settings().disen_mix)
        losses["loss"].backward()
        found.append({k: p.grad.clone() for k, p in named_trainable(parts).items()})
        for parameter in named_trainable(parts).values():
            parameter.grad = None
    assert all(float(g.abs().max()) > 0 for k, g in found[0].items() if "unet" in k and "lora_A" in k)
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-7)


@pytest.mark.slow
def test_a_compiled_training_learns_the_same(base_folders: dict[str, Path], kind: str, tmp_path: Path) -> None:
    learnt = []
    for compile in (False, True):
        torch.manual_seed(0)
        base = load_base(folder_source(base_folders[kind]), torch.device("cpu"))
        adapter = make_trainee(base)
        folder = tmp_path / str(compile)
        train_disen_mix(base, adapter, make_data(base), make_settings(schedule={"steps": 3, "compile": compile}), Progress(folder))
        save_lora(base, folder)
        learnt.append(load_file(folder / LORA_FILE))
    assert not any("_orig_mod" in k for k in learnt[1])
    torch.testing.assert_close(learnt[0], learnt[1], rtol=1e-2, atol=1e-4)


def test_min_snr_weights_are_the_papers(base: Base) -> None:
    alphas = base.noise_scheduler.alphas_cumprod
    timesteps = torch.tensor([0, 400, 999])
    snr = [float(alphas[t] / (1 - alphas[t])) for t in timesteps]
    assert snr[0] > 5 > snr[2]
    literal = {"epsilon": [min(s, 5) / s for s in snr], "v_prediction": [min(s, 5) / (s + 1) for s in snr]}
    kind = base.noise_scheduler.config.prediction_type
    assert min_snr_weights(alphas, timesteps, 5.0, kind).tolist() == pytest.approx(literal[kind], rel=1e-5)
    pred, target = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4)
    weighed = denoising_loss(*weigh(pred, target, base.noise_scheduler, timesteps, 5.0))
    assert weighed.tolist() == pytest.approx(
        [w * float(x) for w, x in zip(literal[kind], denoising_loss(pred, target), strict=True)], rel=1e-4
    )
    assert weigh(pred, target, base.noise_scheduler, timesteps, 0.0) == (pred, target)


def train(base: Base, folder: Path, scores: dict[int, float], killed_at: int = 0, **changes: object) -> dict[str, torch.Tensor]:
    """Train with validations every two steps that give `scores`, drawing noise on the way; what was learned."""

    def validate(step: int) -> dict[str, float]:
        if step == killed_at:
            raise Killed
        with torch.random.fork_rng():
            torch.randn(3)
        return {"score": scores[step]}

    adapter = make_fresh_trainee(base)
    settings = make_settings(validation={"every": 2 if scores else 0, **changes})
    train_disen_mix(base, adapter, make_data(base), settings, Progress(folder, folder / "tensorboard", validate))
    return {k: p.detach().clone() for k, p in named_trainable(parts_of(base, adapter)).items()}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def fresh(base_folders: dict[str, Path], kind: str):
    """Makes the same untrained base again and again."""
    return lambda: load_base(folder_source(base_folders[kind]), torch.device("cpu"))


def test_validation_marks_the_best_and_changes_no_bit(fresh, tmp_path: Path) -> None:
    scores = {2: 0.1, 4: 0.7, 6: 0.3}
    plain = train(fresh(), tmp_path / "plain", {})
    watched = train(fresh(), tmp_path / "watched", scores)
    assert all(torch.equal(plain[k], watched[k]) for k in plain)
    assert [(r["step"], r["best"]) for r in rows_of(tmp_path / "watched/validation.csv")] == [("2", "0"), ("4", "1"), ("6", "0")]
    assert list((tmp_path / "watched/tensorboard").glob("**/events*"))
    best = train(fresh(), tmp_path / "best", scores, keep_best=True)
    assert any(not torch.equal(best[k], plain[k]) for k in plain)
    load_parameters(tmp_path / "watched/best.safetensors", kept := {k: torch.nn.Parameter(torch.zeros_like(v)) for k, v in plain.items()})
    assert all(torch.equal(best[k], kept[k]) for k in plain)


def test_a_killed_validation_is_made_again(fresh, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    scores = {2: 0.1, 4: 0.7, 6: 0.3}
    whole = train(fresh(), tmp_path / "whole", scores)
    with pytest.raises(Killed):
        train(fresh(), tmp_path / "killed", scores, killed_at=4)
    capsys.readouterr()
    again = train(fresh(), tmp_path / "killed", scores)
    said = capsys.readouterr().out
    assert "going on from step 2 of 6" in said
    assert "validation after 4 steps: score 0.700\n" in said  # a line of its own, not glued to the progress bar
    assert all(torch.equal(whole[k], again[k]) for k in whole)
    assert rows_of(tmp_path / "whole/validation.csv") == rows_of(tmp_path / "killed/validation.csv")


def test_an_edited_picture_is_never_stale(base: Base, tmp_path: Path) -> None:
    picture = noise_picture(0, (base.resolution,) * 2)
    cache = LatentsCache(tmp_path, base.vae)
    first = cache.encode(picture)
    torch.testing.assert_close(first, encode_picture(base.vae, picture), rtol=0, atol=0)
    stored = cache.find(picture)
    stamp = stored.stat().st_mtime_ns
    assert torch.equal(cache.encode(picture)["mean"], first["mean"]) and stored.stat().st_mtime_ns == stamp
    edited = picture.copy()
    edited.putpixel((0, 0), (1, 2, 3))
    assert not torch.equal(cache.encode(edited)["mean"], first["mean"])
    with torch.no_grad():
        base.vae.quant_conv.bias += 1
    assert LatentsCache(tmp_path, base.vae).find(picture) != stored


def test_a_validated_stage_leaves_its_sheets(workspace: Path) -> None:
    change("finetune", {"validation": {"every": 1}})
    run_stages("mix", "finetune")
    folder = Path("runs/toys/finetune")
    assert [p.name for p in sorted((folder / "validation").glob("*.jpg"))] == ["00001.jpg", "00002.jpg", "00003.jpg"]
    assert Image.open(folder / "validation/00001.jpg").size[0] > 2 * 16
    rows = rows_of(folder / "validation.csv")
    assert {"step", "fidelity", "missing", "stitched", "text_fidelity", "score", "best"} == set(rows[0])
    assert sum(int(r["best"]) for r in rows) == 1
    assert not Path(".cache/checkpoints/toys/finetune").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_a_stage_killed_with_signal_9_ends_with_the_same_bytes(workspace: Path, kind: str) -> None:
    """Three times over, whenever the next checkpoint is there; then left alone."""
    change("finetune", {"schedule": {"steps": 40}, "validation": {"every": 5}})
    run_stages("mix")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "tasks.finetune", "toys"]
    weights, state = Path("runs/toys/finetune") / LORA_FILE, Path(".cache/checkpoints/toys/finetune/state.safetensors")
    found = []
    for kills in (0, 3):
        shutil.rmtree("runs/toys/finetune", ignore_errors=True)
        for _ in range(kills):
            before = state.stat().st_mtime_ns if state.exists() else 0
            with subprocess.Popen(command, env=environment) as process:
                while not (state.exists() and state.stat().st_mtime_ns > before):
                    assert process.poll() is None, "it ended before it could be killed"
                    time.sleep(0.01)
                process.kill()
            assert process.returncode == -signal.SIGKILL and not weights.exists()
        subprocess.run(command, check=True, env=environment)
        found.append({p.name: p.read_bytes() for p in weights.parent.rglob("*") if p.is_file()})
    assert {"losses.csv", "validation.csv", LORA_FILE} <= found[0].keys()
    assert found[0] == found[1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_two_processes_train_one_model(workspace: Path, kind: str) -> None:
    """accelerate launch on two CPU processes: one output, no trace of the second, and other weights than one process makes, since it sees more."""
    run_stages("mix")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    weights = []
    for processes in (1, 2):
        text = Path("params.yaml").read_text().replace(f"processes: {3 - processes}", f"processes: {processes}")
        Path("params.yaml").write_text(text)
        run_stages()
        subprocess.run([sys.executable, "-m", "tasks.finetune", "toys"], check=True, env=environment)
        weights.append(load_file("runs/toys/finetune/pytorch_lora_weights.safetensors"))
        assert not list(Path("runs/toys").glob(".*"))
    assert weights[0].keys() == weights[1].keys()
    assert any(not torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
