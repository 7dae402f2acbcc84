"""The methods side by side: what learns, what stays, what comes back from a folder, and their losses against literal ones."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageColor

from tasks.shared.picks import Picks, write_picks
from tests.helpers.candidates import write_candidates
from tests.helpers.pictures import noise_picture
from tests.helpers.training import make_data, make_settings, make_trainee, parts_of
from tests.helpers.workspace import change_combination, run_stages
from vd_core.bases.encode import embed_prompts
from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.customisation.keys_values import embedding_of, train_keys_and_values
from vd_core.customisation.load import find_weights, load_customisation
from vd_core.customisation.lora import LORA_FILE, add_lora, save_lora
from vd_core.customisation.spectral import add_spectral_shifts
from vd_core.errors import InputError
from vd_core.generation.customised import customise_animatediff, customise_text2video_zero
from vd_core.inputs.prompts import mixed_prompt, plain_prompt
from vd_core.inputs.subjects import Subject
from vd_core.methods.custom_diffusion import LARGE, SMALL, View, augment, mask_view, prompt_view
from vd_core.methods.disen_mix import train_step
from vd_core.methods.named import METHODS
from vd_core.methods.svdiff import cut_mix, draw_kinds
from vd_core.toybox.pretraining.tokens import build_tokenizer
from vd_core.training.data import draw_batch
from vd_core.training.loop import Progress
from vd_core.training.losses import masked_loss, prior_preservation_loss, separate_loss
from vd_core.training.step import Settings, named_trainable

ROOT = Path(__file__).parents[2]
SUBJECTS = [Subject("dog", "dog", "sks", Path()), Subject("cat", "cat", "krk", Path())]
QUICK = make_settings(schedule={"steps": 3})
LEARNS = {
    "dreambooth": ("lora_",),
    "disen_mix": ("lora_",),
    "plain_mix": ("lora_",),
    "custom_diffusion": ("attn2.to_k.", "attn2.to_v.", ".rows"),
    "svdiff": (".shift",),
}


def pictures_for(base: Base, count: int, seed: int) -> list[Image.Image]:
    return [noise_picture(seed + i, (base.resolution,) * 2) for i in range(count)]


def run_method(name: str, base: Base, folder: Path, settings: Settings = QUICK) -> None:
    own = [pictures_for(base, 2, 0), pictures_for(base, 3, 10)]
    METHODS[name](base, SUBJECTS, own, pictures_for(base, 3, 20), settings, Progress(folder / "progress"), folder)


def watch(base: Base, learn: Callable[[], None]) -> tuple[set[str], set[int]]:
    """The prompts that the text encoder reads while `learn` learns, and how many samples the U-Net sees at once."""
    said: set[str] = set()
    batches: set[int] = set()

    def listen(_: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            said.update(base.tokenizer.batch_decode(args[0], skip_special_tokens=True))

    def count(_: torch.nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        if torch.is_grad_enabled():
            batches.add(len(args[0]))

    base.text_encoder.register_forward_pre_hook(listen)
    base.unet.register_forward_pre_hook(count)
    learn()
    return {" ".join(s.replace(" ,", ",").split()) for s in said}, batches


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
            generate = customise(fresh, folder, num_frames=2, num_inference_steps=4, guidance_scale=3.0)
            clips.append(generate(embed_prompts(fresh, ["a sks dog, a krk cat"]), 0))
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


def test_custom_diffusions_views() -> None:
    picture = noise_picture(0, (64, 64))
    views = [augment(picture, np.random.default_rng(i)) for i in range(300)]
    assert {v.prefixes for v in views} == {SMALL, LARGE, ()}
    for view in views:
        left, top, right, bottom = view.box
        assert ((right - left) < 0.6 * 64) == (view.prefixes == SMALL)
        assert right - left == bottom - top and (right - left == 64 or view.prefixes == SMALL)
        assert (view.picture.tobytes() == picture.tobytes()) == (view.prefixes == ())
    shares = [sum(v.prefixes == p for v in views) / len(views) for p in (SMALL, (), LARGE)]
    assert shares == pytest.approx([4 / 15, 2 / 5, 1 / 3], abs=0.07)


def test_a_views_mask_keeps_no_latent_at_the_pictures_border() -> None:
    white = Image.new("RGB", (64, 64), "white")
    shrunken = [v for v in (augment(white, np.random.default_rng(i)) for i in range(100)) if v.prefixes == SMALL]
    assert shrunken
    for view in shrunken:
        gray = np.asarray(view.picture)[..., 0] < 250
        touched = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(~gray).float()[None], 16)[0] > 0
        rows, columns = (touched.any(d).nonzero()[:, 0].tolist() for d in (1, 0))
        kept = mask_view(view, 16)[0].nonzero().tolist()
        assert kept
        assert all(rows[0] < y < rows[-1] and columns[0] < x < columns[-1] for y, x in kept)
        assert not any(gray[4 * y : 4 * y + 4, 4 * x : 4 * x + 4].any() for y, x in kept)
    assert mask_view(View(white, (0, 0, 64, 64), LARGE), 16).min() == 1


def test_a_views_prompt_says_no_word_that_the_base_does_not_know() -> None:
    class KnowsAll:
        def tokenize(self, text: str) -> list[str]:
            return text.split()

    class KnowsNone:
        def tokenize(self, text: str) -> list[str]:
            return list(text)

    view, rng = View(noise_picture(0, (16, 16)), (0, 0, 8, 8), SMALL), np.random.default_rng(0)
    assert {prompt_view(view, "a sks dog", KnowsAll(), rng) for _ in range(20)} == {"far away a sks dog", "very small a sks dog"}
    assert {prompt_view(view, "a sks dog", t, rng) for t in (KnowsNone(), build_tokenizer()) for _ in range(20)} == {"a sks dog"}


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_custom_diffusion_says_only_words_that_the_base_knows(base: Base, tmp_path: Path) -> None:
    said, _ = watch(base, lambda: run_method("custom_diffusion", base, tmp_path))
    assert said == {"a sks dog", "a krk cat", "a dog", "a cat"}


def test_svdiffs_prompts_say_what_stands_where() -> None:
    colours = ("red", "blue", "yellow")
    subjects = [*SUBJECTS, Subject("car", "car", "slk", Path())]
    pictures = [[Image.new("RGB", (30, 30), c)] for c in colours]
    nouns = {ImageColor.getrgb(c): s.class_noun for c, s in zip(colours, subjects, strict=True)}
    for n, orders in ((2, 2), (3, 6)):
        mixtures, prompts, class_prompts = cut_mix(subjects[:n], pictures[:n], 60, build_tokenizer(), 0)
        assert len(set(prompts)) == orders and mixed_prompt(subjects[:n]) not in prompts
        for mixture, prompt, class_prompt in zip(mixtures, prompts, class_prompts, strict=True):
            from_left = [nouns[mixture.getpixel((x, 15))] for x in range(15 // n, 30, 30 // n)]
            assert [word for word in prompt.split() if word in nouns.values()] == from_left
            assert f"{from_left[0]} on the left" in prompt and prompt.endswith(f"{from_left[-1]} on the right")
            assert plain_prompt(prompt, subjects) == class_prompt
    assert "a sks dog on the left and a krk cat on the right" in cut_mix(SUBJECTS, pictures[:2], 9, build_tokenizer(), 0)[1]


def test_six_svdiff_samples_in_ten_are_mixed_and_the_rest_are_shared_out() -> None:
    kinds = draw_kinds(20_000, 2, torch.Generator().manual_seed(0))
    shares = [float((kinds == k).float().mean()) for k in range(3)]
    assert shares == pytest.approx([0.2, 0.2, 0.6], abs=0.015)


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_svdiff_never_learns_a_mixed_picture_under_the_prompt_that_is_judged(base: Base, tmp_path: Path) -> None:
    said, batches = watch(base, lambda: run_method("svdiff", base, tmp_path))
    both = {f"{one} on the left and {other} on the right" for one, other in (("a sks dog", "a krk cat"), ("a krk cat", "a sks dog"))}
    assert said & both and mixed_prompt(SUBJECTS) not in said
    classes = {plain_prompt(p, SUBJECTS) for p in both}
    assert said & classes and said <= both | classes | {"a sks dog", "a krk cat", "a dog", "a cat"}
    assert batches == {2 * (2 * QUICK.batch_per_subject + QUICK.batch_mixed)}


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
    with_f, without_f = (train_step(*arguments, torch.Generator().manual_seed(5), 1.0, visual_embedding=v) for v in (True, False))
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
