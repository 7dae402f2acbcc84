"""The embedded base as it is in the repository, and the loop that trained it."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AnimateDiffPipeline, MotionAdapter, StableDiffusionPipeline

from vd_core.bases.encode import tokenize
from vd_core.bases.stable_diffusion import folder_source, load_base
from vd_core.metrics.judges import load_local_judges
from vd_core.toybox.pretraining.autoencoder import SECOND, build_vae, draw_batch, load_trained_vae, train_vae
from vd_core.toybox.pretraining.contrastive import APART, ContrastivePair, draw_captioned_batch, load_trained_encoders, train_image_encoder
from vd_core.toybox.pretraining.denoiser import CROWDED, SLIDING, LatentPool, build_noise_scheduler
from vd_core.toybox.pretraining.encoders import embed_captions, load_text_head
from vd_core.toybox.pretraining.motion_modules import sample_even_timesteps, sample_high_timesteps
from vd_core.toybox.pretraining.tokens import build_tokenizer
from vd_core.toybox.pretraining.trainer import ema_weights, fit
from vd_core.toybox.pretraining.words import DIRECTIONS
from vd_core.toybox.reading.tracking import name_motion
from vd_core.toybox.world.demo import SUBJECTS
from vd_core.toybox.world.scenes import COLOURS, HELD_OUT, KINDS, RARE_WORDS

ROOT = Path(__file__).parents[2]
TOYBOX = ROOT / "models" / "toybox"


def test_it_is_small_and_half_precision() -> None:
    files = list(TOYBOX.rglob("*.safetensors"))
    assert sum(f.stat().st_size for f in files) <= 64e6
    assert not [f for f in TOYBOX.rglob("*") if f.suffix in (".bin", ".pt", ".pkl", ".ckpt")]


def test_diffusers_loads_and_samples_it() -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(TOYBOX)
    pipeline.set_progress_bar_config(disable=True)
    picture = pipeline("a red dog on the beach", num_inference_steps=2, generator=torch.Generator().manual_seed(0)).images[0]
    assert picture.size == (64, 64)
    adapter = MotionAdapter.from_pretrained(TOYBOX / "motion_adapter")
    video = AnimateDiffPipeline.from_pretrained(TOYBOX, motion_adapter=adapter)
    video.set_progress_bar_config(disable=True)
    frames = video("a red dog jumping", num_frames=4, num_inference_steps=2, height=64, width=64).frames[0]
    assert len(frames) == 4


def test_its_image_encoder_is_as_wide_as_its_text_encoder() -> None:
    base = load_base(folder_source(TOYBOX), torch.device("cpu"))
    assert base.image_encoder.config.projection_dim == base.text_encoder.config.hidden_size
    assert base.resolution == 64


@torch.no_grad()
def test_identity_tokens_can_be_told_apart() -> None:
    """Any two of them move a text's embedding at least half as far as two colours do, so that a finetuning can take hold of one."""
    base = load_base(folder_source(TOYBOX), torch.device("cpu"))

    def read(words: Iterable[str]) -> torch.Tensor:
        texts = [[f"a {word} {kind}" for kind in KINDS] for word in words]
        return torch.stack([base.text_encoder(tokenize(base, t)).last_hidden_state[:, 3:5].flatten() for t in texts])

    colours, tokens = torch.pdist(read(COLOURS)), torch.pdist(read(RARE_WORDS))
    assert tokens.min() > 0.5 * colours.median()


@torch.no_grad()
def test_left_and_right_can_be_told_apart() -> None:
    """They move the text's embedding, from where they stand to its end, at least half as far as two colours do."""
    base = load_base(folder_source(TOYBOX), torch.device("cpu"))

    def read(sentence: str, words: Iterable[str], start: int) -> torch.Tensor:
        texts = [[sentence.format(word, kind) for kind in KINDS] for word in words]
        return torch.stack([base.text_encoder(tokenize(base, t)).last_hidden_state[:, start : start + 5].flatten() for t in texts])

    ways = torch.pdist(read("a {1} sliding to the {0} in the city", DIRECTIONS, start=6))
    colours = torch.pdist(read("a {0} {1} in the city", COLOURS, start=2))
    assert ways.min() > 0.5 * colours.median()


def test_its_judges_load() -> None:
    judges = load_local_judges(TOYBOX / "judges", torch.device("cpu"))
    assert judges.embed_texts(["a red dog"]).shape == judges.embed_images(torch.rand(1, 3, 64, 64)).shape
    assert json.loads((TOYBOX / "judges" / "config.json").read_text())["labels"][0] == judges.labels[1]


def test_the_demos_subjects_are_held_out() -> None:
    assert set(SUBJECTS.values()) <= set(HELD_OUT)


def train_line(folder: Path, steps: int, stop: int | None = None) -> dict[str, torch.Tensor]:
    """Fit a line; die at step `stop` if one is given."""
    torch.manual_seed(0)
    line = torch.nn.Linear(2, 1)

    def loss_fn(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        if step == stop:
            raise KeyboardInterrupt
        x = torch.randn(8, 2, generator=generator)
        return {"loss": (line(x) - x.sum(1, keepdim=True)).square().mean()}

    return ema_weights(fit("line", line, loss_fn, folder, steps, peak_lr=0.1, ema_decay=0.9, save_every=-1.0))


def test_pretraining_resumes_to_the_bit(tmp_path: Path) -> None:
    through = train_line(tmp_path / "a", 30)
    with pytest.raises(KeyboardInterrupt):
        train_line(tmp_path / "b", 30, stop=13)
    resumed = train_line(tmp_path / "b", 30)
    assert all(torch.equal(through[k], resumed[k]) for k in through)
    logged = [[row.split(",")[0] for row in (tmp_path / name / "log.csv").read_text().splitlines()] for name in "ab"]
    assert logged[0] == logged[1] == ["step", "25"]


def track(x=(0.0,) * 16, bottom=(50.0,) * 16, height=(20.0,) * 16, turn=(0.0,) * 16) -> torch.Tensor:
    return torch.tensor([x, bottom, height, turn]).T.numpy()


def test_motions_are_named() -> None:
    ramp = [i / 15 for i in range(16)]
    assert name_motion(track()) == "still"
    assert name_motion(track(x=tuple(15 * r for r in ramp))) == "right"
    assert name_motion(track(x=tuple(-15 * r for r in ramp))) == "left"
    assert name_motion(track(height=tuple(14 + 10 * r for r in ramp))) == "grow"
    assert name_motion(track(bottom=tuple(50 - 30 * r * (1 - r) for r in ramp))) == "jump"
    assert name_motion(track(turn=tuple(5.5 * r for r in ramp))) == "spin"
    assert name_motion(track(x=tuple(2.0 * (-1) ** i for i in range(16)))) == "shake"


def test_a_crowded_pool_has_mostly_two_toys(tmp_path: Path) -> None:
    vae = build_vae().eval().requires_grad_(False)
    pool = LatentPool(tmp_path, vae, CROWDED)
    counts = [len(pool.scene(i).toys) for i in range(200)]
    assert counts.count(2) > 0.45 * len(counts) and set(counts) == {1, 2, 3, 4}
    latents = pool.get(np.array([3, 5]))
    assert torch.equal(latents, pool.get(np.array([3, 5]))) and pool.ready.sum() == 2
    assert not torch.equal(latents[0], LatentPool(tmp_path / "other", vae).get(np.array([3]))[0])


def test_in_half_of_a_sliding_pool_all_toys_slide_one_way(tmp_path: Path) -> None:
    pool = LatentPool(tmp_path, build_vae(), SLIDING)
    pictures = [{t.motion for t in scene.toys} for scene in map(pool.scene, range(300)) if not scene.regions]
    left, right = (sum(m == {way} for m in pictures) / len(pictures) for way in ("left", "right"))
    assert left == pytest.approx(0.25, abs=0.06) and right == pytest.approx(0.25, abs=0.06)


def test_the_autoencoder_trained_on_stays_near_its_latents(tmp_path: Path) -> None:
    torch.manual_seed(0)
    start = build_vae().requires_grad_(False)
    again = load_trained_vae(train_vae(tmp_path, 2, SECOND, start, batch=2))
    pictures = draw_batch(7, 2)
    with torch.no_grad():
        before, after = (vae.encode(pictures).latent_dist.mean for vae in (start, again))
    assert 0 < float((before - after).square().mean().sqrt()) < 0.1 * float(before.std())


def test_the_image_encoder_follows_a_frozen_text_encoder(tmp_path: Path) -> None:
    pair = ContrastivePair(build_tokenizer())
    before = {k: v.clone() for k, v in pair.state_dict().items()}
    _, after = load_trained_encoders(train_image_encoder(tmp_path, 1, pair, batch=4))
    moved = {k.split(".")[0] for k, v in after.state_dict().items() if not torch.equal(v, before[k])}
    assert moved == {"image_encoder", "text_head", "logit_scale"}


@torch.no_grad()
def test_a_captions_embedding_does_not_depend_on_its_neighbours() -> None:
    """The longest caption of a batch decides how much padding there is; no other caption's embedding may show it."""
    base, head = load_base(folder_source(TOYBOX), torch.device("cpu")), load_text_head(TOYBOX)
    captions = ["a cat", "a striped red and blue dog with a hat, a plain green and pink robot, and a bear in the snow"]
    together = embed_captions(base.text_encoder, head, tokenize(base, captions))
    for i, text in enumerate(captions):
        alone = embed_captions(base.text_encoder, head, tokenize(base, [text]))
        assert torch.allclose(alone[0], together[i], atol=1e-5)


@torch.no_grad()
def test_the_order_of_two_toys_says_little_to_its_text_head() -> None:
    """A picture does not show in which order a caption names what is in it; another colour it shows."""
    base, head, colours = load_base(folder_source(TOYBOX), torch.device("cpu")), load_text_head(TOYBOX), list(COLOURS)
    said, turned, other = (
        embed_captions(
            base.text_encoder, head, tokenize(base, [text.format(k, KINDS[i - 1], *np.roll(colours, i)) for i, k in enumerate(KINDS)])
        )
        for text in ("a {2} {0} and a {3} {1} in the snow", "a {3} {1} and a {2} {0} in the snow", "a {2} {0} and a {4} {1} in the snow")
    )
    order, colour = (1 - (said * changed).sum(1).mean() for changed in (turned, other))
    assert order < colour / 3


def test_a_drawn_picture_comes_again_with_another_caption() -> None:
    first, said = draw_captioned_batch(0, 0, 8)
    later, said_later = draw_captioned_batch(0, APART, 8)
    assert np.array_equal(first[2:], later[:6]) and not np.array_equal(first[:2], later[6:])
    assert set(said[2:]) != set(said_later[:6])


def test_motion_is_learnt_from_noisy_clips() -> None:
    timesteps = sample_high_timesteps(4000, build_noise_scheduler(), torch.Generator().manual_seed(0))
    assert int(timesteps.min()) >= 0 and int(timesteps.max()) < 1000
    assert float((timesteps > 500).float().mean()) == pytest.approx(0.788, abs=0.02)  # P(z > -0.8)


def test_its_details_are_learnt_at_every_timestep() -> None:
    timesteps = sample_even_timesteps(4000, build_noise_scheduler(), torch.Generator().manual_seed(0))
    assert int(timesteps.min()) < 5 and int(timesteps.max()) in range(995, 1000)
    assert torch.histc(timesteps.float(), 4, 0, 1000) / 4000 == pytest.approx(0.25, abs=0.02)
