"""The equations against slow, literal references; what must not change does not."""

import copy
from pathlib import Path

import pytest
import torch

from tests.helpers.methods import run_method, watch
from tests.helpers.training import make_data, make_settings, make_trainee, parts_of, shake_lora
from vd_core.bases.encode import tokenize
from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.customisation.lora import add_lora, load_lora, save_lora
from vd_core.customisation.visual_adapter import VisualAdapter, load_visual_adapter, save_visual_adapter
from vd_core.methods.disen_mix import prior_step, train, train_step
from vd_core.training.data import Batch, FinetuningData, Labelled, Moments, PriorData, draw_batch
from vd_core.training.loop import Progress
from vd_core.training.losses import denoising_loss, separate_loss
from vd_core.training.step import named_trainable


def test_denoising_loss_is_per_sample() -> None:
    pred, target = torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4)
    expected = [float(((pred[i] - target[i]) ** 2).sum() / 32) for i in range(3)]
    assert denoising_loss(pred, target).tolist() == pytest.approx(expected)


def test_separate_loss_sums_over_subjects() -> None:
    pred, target = torch.randn(3, 1, 2, 2), torch.zeros(3, 1, 2, 2)
    per_sample = [float((pred[i] ** 2).mean()) for i in range(3)]
    expected = (per_sample[0] + per_sample[1]) / 2 + per_sample[2]
    assert float(separate_loss(pred, target, torch.tensor([0, 0, 1]))) == pytest.approx(expected)


def test_one_batched_step_equals_the_literal_equations(base: Base) -> None:
    """Eqs. 5, 8, 9, 10, one U-Net call a picture, against the one batched call; values and gradients."""
    adapter = make_trainee(base)
    shake_lora(base)
    data = make_data(base)
    batch = draw_batch(data, torch.Generator().manual_seed(0), 2, 2)
    parameters = named_trainable(parts_of(base, adapter))

    losses = train_step(
        base, parts_of(base, adapter), batch, torch.Generator().manual_seed(5), make_settings(disen_mix={"weak_denoising": 0.25}).disen_mix
    )
    losses["loss"].backward()
    gradients = {k: p.grad.clone() for k, p in parameters.items()}
    for p in parameters.values():
        p.grad = None

    generator = torch.Generator().manual_seed(5)
    noise = torch.randn(batch.latents.shape, generator=generator)
    timesteps = torch.randint(0, 1000, (6,), generator=generator)
    alphas = base.noise_scheduler.alphas_cumprod

    def literal(i: int, hidden: torch.Tensor) -> torch.Tensor:
        a, z, eps = alphas[timesteps[i]], batch.latents[i], noise[i]
        noisy = a.sqrt() * z + (1 - a).sqrt() * eps
        target = eps if base.noise_scheduler.config.prediction_type == "epsilon" else a.sqrt() * eps - (1 - a).sqrt() * z
        return ((target - base.unet(noisy[None], timesteps[i], hidden[None]).sample[0]) ** 2).mean()

    embeds = [base.text_encoder(row[None]).last_hidden_state[0] for row in batch.prompt_ids]
    separate = sum((literal(2 * s, embeds[s]) + literal(2 * s + 1, embeds[s])) / 2 for s in range(2))
    visual = adapter(batch.image_embeds)
    disentangled = (literal(4, embeds[2] + visual[0]) + literal(5, embeds[2] + visual[1])) / 2
    weak = 0.25 * (literal(4, embeds[2]) + literal(5, embeds[2])) / 2
    total = separate + disentangled + weak
    total.backward()

    for key, value in {"separate": separate, "disentangled": disentangled, "weak_denoising": weak, "loss": total}.items():
        assert float(losses[key]) == pytest.approx(float(value), rel=1e-5), key
    for key, parameter in parameters.items():
        torch.testing.assert_close(gradients[key], parameter.grad, rtol=1e-3, atol=1e-6)


def test_visual_adapter_is_eq_7() -> None:
    adapter = VisualAdapter(4)
    f = torch.randn(3, 4)
    first, second = adapter.mlp[0], adapter.mlp[2]
    masked = 0.5 * f  # sigmoid(0)
    expected = torch.relu(masked @ first.weight.T + first.bias) @ second.weight.T + second.bias + masked
    torch.testing.assert_close(adapter(f), expected)


def test_zero_lora_changes_nothing(base: Base) -> None:
    sample = torch.randn(1, base.unet.config.in_channels, 8, 8)
    ids = torch.zeros(1, 5, dtype=torch.long)
    hidden = base.text_encoder(ids).last_hidden_state
    before = base.unet(sample, 10, hidden).sample
    add_lora(base, rank=2, seed=0)
    assert torch.equal(base.text_encoder(ids).last_hidden_state, hidden)
    assert torch.equal(base.unet(sample, 10, hidden).sample, before)


def test_frozen_weights_do_not_move(base: Base, tmp_path: Path) -> None:
    adapter = make_trainee(base)
    modules = {"unet": base.unet, "text": base.text_encoder, "vae": base.vae, "image": base.image_encoder}
    before = {n: copy.deepcopy(m.state_dict()) for n, m in modules.items()}
    train(base, adapter, make_data(base), make_settings(), Progress(tmp_path))
    moved = set()
    for name, module in modules.items():
        for key, value in module.state_dict().items():
            if "lora_" in key:
                moved.add(name)
            else:
                assert torch.equal(value, before[name][key]), key
    assert moved == {"unet", "text"}


def test_saved_lora_and_adapter_come_back(base: Base, tmp_path: Path, base_folders: dict, kind: str) -> None:
    adapter = make_trainee(base)
    shake_lora(base)
    save_lora(base, tmp_path)
    save_visual_adapter(adapter, tmp_path)
    again = load_base(folder_source(base_folders[kind]), torch.device("cpu"))
    load_lora(again, tmp_path)
    sample, hidden = torch.randn(1, 4, 8, 8), torch.randn(1, 5, base.text_encoder.config.hidden_size)
    torch.testing.assert_close(base.unet(sample, 3, hidden).sample, again.unet(sample, 3, hidden).sample)
    assert not any("lora_" in k for k in [*again.unet.state_dict(), *again.text_encoder.state_dict()])
    assert not any(p.requires_grad for p in again.unet.parameters())
    f = torch.randn(2, base.text_encoder.config.hidden_size)
    torch.testing.assert_close(adapter(f), load_visual_adapter(tmp_path)(f))


def test_batches_hold_every_subject() -> None:
    moments = Moments(torch.arange(5.0)[:, None, None, None].expand(5, 1, 1, 1), torch.zeros(5, 1, 1, 1))
    data = FinetuningData(
        Labelled(moments, torch.tensor([0, 0, 1, 1, 1])),
        moments,
        torch.zeros(5, 3),
        torch.zeros(3, 4),
        torch.full((5,), 2),
        torch.arange(2),
    )
    batch = draw_batch(data, torch.Generator().manual_seed(0), per_subject=2, mixed=3)
    assert isinstance(batch, Batch)
    assert batch.subject_ids.tolist() == [0, 0, 1, 1]
    assert all(v < 2 for v in batch.latents[:2].flatten())
    assert all(v >= 2 for v in batch.latents[2:4].flatten())
    assert batch.latents.shape == (7, 1, 1, 1)
    assert batch.mixed_prompts.tolist() == [2, 2, 2] and batch.boxes is None


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_with_prior_preservation_the_classes_own_pictures_are_learned_too(base: Base, tmp_path: Path) -> None:
    """As DreamBooth's second term is: under the class's own words, as many as of the subjects, weighed."""
    settings = make_settings(schedule={"steps": 2}, disen_mix={"prior_preservation": True}, prior={"pictures": 2, "weight": 0.5})
    said, batches = watch(base, lambda: run_method("disen_mix", base, tmp_path, settings))
    assert {"a dog", "a cat"} <= said and any("sks" in prompt for prompt in said)
    assert batches == {2 * 2 + 2 * 2, 2 * 2}


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_the_priors_term_is_the_literal_sum(base: Base) -> None:
    adapter = make_trainee(base)
    pictures = make_data(base).instance
    prior = PriorData(pictures, tokenize(base, ["a dog", "a cat"]))
    settings = make_settings(prior={"pictures": 2, "weight": 0.3})
    found = prior_step(base, parts_of(base, adapter), prior, torch.Generator().manual_seed(4), settings)
    generator = torch.Generator().manual_seed(4)
    latents, ids = pictures.draw(settings.batch_per_subject, generator)
    noised = base.add_noise(latents, generator)
    embeds = base.text_encoder(prior.prompt_ids).last_hidden_state
    losses = [
        ((base.unet(noised.latents[i : i + 1], noised.timesteps[i], embeds[s : s + 1]).sample[0] - noised.target[i]) ** 2).mean()
        for i, s in enumerate(ids.tolist())
    ]
    literal = sum(sum(x for x, s in zip(losses, ids.tolist(), strict=True) if s == k) / 2 for k in range(2))
    assert float(found) == pytest.approx(0.3 * float(literal), rel=1e-4)
