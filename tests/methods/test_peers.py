"""The methods side by side: what learns, what stays, what comes back from a folder, and their losses against literal ones."""

from functools import partial
from pathlib import Path

import pytest
import torch

from tasks.shared.picks import Picks, write_picks
from tests.helpers.candidates import write_candidates
from tests.helpers.methods import QUICK, SUBJECTS, run_method, watch
from tests.helpers.training import make_data, make_settings, make_trainee, parts_of
from tests.helpers.workspace import change_combination, run_stages
from vd_core.bases.encode import embed_prompts
from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.customisation.keys_values import embedding_of, train_keys_and_values
from vd_core.customisation.load import load_customisation
from vd_core.customisation.lora import add_lora, save_lora
from vd_core.customisation.spectral import add_spectral_shifts
from vd_core.customisation.weights import LORA_FILE, find_weights
from vd_core.errors import InputError
from vd_core.generation.customised import customise_animatediff, customise_text2video_zero
from vd_core.inputs.prompts import mixed_prompt
from vd_core.methods.disen_mix import train_step
from vd_core.methods.named import METHODS
from vd_core.training.data import draw_batch
from vd_core.training.losses import masked_loss, prior_preservation_loss, separate_loss
from vd_core.training.step import named_trainable

ROOT = Path(__file__).parents[2]
LEARNS = {
    "dreambooth": ("lora_",),
    "disen_mix": ("lora_",),
    "plain_mix": ("lora_",),
    "custom_diffusion": ("attn2.to_k.", "attn2.to_v.", ".rows"),
    "svdiff": (".shift",),
}


def predictions(base: Base) -> torch.Tensor:
    """What the base says of a fixed input under a prompt with placeholders."""
    ids = base.tokenizer(["a sks dog, a krk cat"], padding="max_length", max_length=77, return_tensors="pt").input_ids
    sample = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return base.unet(sample, 7, base.text_encoder(ids).last_hidden_state).sample


@pytest.mark.parametrize("name", list(METHODS))
def test_what_a_method_learnt_comes_back_and_the_rest_stays(
    name: str, base: Base, base_folders: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    fresh = load_base(folder_source(base_folders[kind]), torch.device("cpu"))
    plain = predictions(fresh)
    run_method(name, base, tmp_path)
    frozen = {**fresh.unet.state_dict(), **{f"text.{k}": v for k, v in fresh.text_encoder.state_dict().items()}}
    after = {**base.unet.state_dict(), **{f"text.{k}": v for k, v in base.text_encoder.state_dict().items()}}
    for key, value in after.items():
        original = key.replace(".base_layer", "").replace("parametrizations.weight.original", "weight")
        if original in frozen and not any(part in key for part in LEARNS[name]):
            assert torch.equal(value, frozen[original]), key
    learnt = predictions(base)
    assert not torch.allclose(plain, learnt, atol=1e-4)
    load_customisation(fresh, tmp_path)
    torch.testing.assert_close(predictions(fresh), learnt, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["custom_diffusion", "svdiff"])
def test_untrained_changes_nothing(name: str, base: Base) -> None:
    before = predictions(base)
    if name == "svdiff":
        add_spectral_shifts(base)
        names = named_trainable({"unet": base.unet, "text_encoder": base.text_encoder})
        assert names and all(k.endswith(".shift") for k in names)
    else:
        train_keys_and_values(base, ["sks", "krk"])
        assert embedding_of(base).parametrizations.weight[0].rows.shape == (2, base.text_encoder.config.hidden_size)
    assert torch.equal(predictions(base), before)


@pytest.mark.parametrize("name", ["dreambooth", "svdiff"])
def test_both_generators_take_a_methods_weights(name: str, base: Base, base_folders: dict[str, Path], kind: str, tmp_path: Path) -> None:
    generators = {
        "text2video_zero": partial(customise_text2video_zero, motion_field_strength=(12.0, 12.0), t_forward=3, t_warp=2),
        "animatediff": customise_animatediff,
    }
    run_method(name, base, tmp_path)
    for generator, customise in generators.items():
        clips = []
        for folder in (tmp_path, None):
            fresh = load_base(folder_source(base_folders[kind]), torch.device("cpu"))
            if folder is None:  # the base as it is: an untrained LoRA
                folder = tmp_path / generator
                folder.mkdir()
                add_lora(fresh, 2, 0)
                save_lora(fresh, folder)
                fresh = load_base(folder_source(base_folders[kind]), torch.device("cpu"))
            generate = customise(fresh, folder, num_frames=2, num_inference_steps=4, guidance_scale=3.0, fast=False)
            clips.append(generate(embed_prompts(fresh, ["a sks dog, a krk cat"]), [0]))
        assert not torch.allclose(clips[0], clips[1], atol=1e-4), generator


def test_a_folder_without_weights(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no finetuned weights"):
        find_weights(tmp_path)


def test_prior_preservation_and_masks_against_literal_sums() -> None:
    pred, target = torch.randn(3, 2, 2, 2), torch.randn(3, 2, 2, 2)
    ids = torch.tensor([0, 1, 1])
    literal = 0.3 * (float(((pred[0] - target[0]) ** 2).mean()) + float(((pred[1:] - target[1:]) ** 2).mean()))
    assert float(prior_preservation_loss(pred, target, ids, 0.3)) == pytest.approx(literal)
    mask = torch.zeros(3, 1, 2, 2)
    mask[:, :, 0, :] = 1
    literal = [float(((pred[i, :, 0] - target[i, :, 0]) ** 2).mean()) for i in range(3)]
    assert masked_loss(pred, target, mask).tolist() == pytest.approx(literal)
    assert masked_loss(pred, target, 0 * mask).tolist() == [0, 0, 0]  # a view so small that no latent lies inside it
    assert float(separate_loss(pred, pred, ids)) == 0


@pytest.mark.parametrize("name", ["dreambooth", "custom_diffusion", "svdiff"])
@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_without_prior_preservation_no_prior_is_drawn_and_none_is_learnt(
    name: str, base: Base, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a prior picture was drawn")

    monkeypatch.setattr("vd_core.methods.priors.generate_pictures", refuse)
    said, batches = watch(base, lambda: run_method(name, base, tmp_path, make_settings(schedule={"steps": 3}, prior={"weight": 0})))
    assert batches == {2 * QUICK.batch_per_subject + (QUICK.batch_mixed if name == "svdiff" else 0)}
    assert said and all("sks" in prompt or "krk" in prompt for prompt in said)


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_plain_mix_learns_mixed_pictures_under_p_c_and_nothing_else(base: Base, tmp_path: Path) -> None:
    said, batches = watch(base, lambda: run_method("plain_mix", base, tmp_path))
    assert said == {"a sks dog", "a krk cat", mixed_prompt(SUBJECTS)}
    assert batches == {2 * QUICK.batch_per_subject + QUICK.batch_mixed}
    assert [f.name for f in tmp_path.glob("*.safetensors")] == [LORA_FILE]


def test_without_the_visual_embedding_both_mixed_losses_are_one(base: Base) -> None:
    adapter = make_trainee(base)
    batch = draw_batch(make_data(base), torch.Generator().manual_seed(0), 2, 2)
    arguments = (base, parts_of(base, adapter), batch)
    with_f, without_f = (
        train_step(
            *arguments, torch.Generator().manual_seed(5), make_settings(disen_mix={"weak_denoising": 1.0, "visual_embedding": v}).disen_mix
        )
        for v in (True, False)
    )
    assert float(without_f["disentangled"]) == pytest.approx(float(without_f["weak_denoising"]), rel=1e-5)
    assert float(with_f["disentangled"]) != pytest.approx(float(with_f["weak_denoising"]), rel=1e-5)
    assert float(with_f["separate"]) == pytest.approx(float(without_f["separate"]), rel=1e-5)


def test_a_peer_is_chosen_in_params(workspace: Path) -> None:
    change_combination({"method": "custom_diffusion"})
    run_stages("mix", "finetune")
    write_candidates(Path("runs/toys/sample"), 3)
    write_picks(Picks(approval="auto", best=1), Path("picks/toys.yaml"))
    run_stages("refinetune")  # no peer knows re-finetuning: its weights go on
    assert find_weights(Path("runs/toys/refinetune")).read_bytes() == find_weights(Path("runs/toys/finetune")).read_bytes()
