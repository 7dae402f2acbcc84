"""Crowds of the drawn world: where toys stand, what is said of them, and the pools and clips that trainings take from them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from vd_core.toybox.pretraining.autoencoder import build_vae
from vd_core.toybox.pretraining.denoiser import CROWDED, SPREAD, LatentPool, caption_that_fits, count_words, weigh_toys
from vd_core.toybox.pretraining.motion_modules import own_motion_scene
from vd_core.toybox.pretraining.tokens import MAX_TOKENS, build_tokenizer
from vd_core.toybox.world.crowds import in_two_rows, overlap, sample_crowd
from vd_core.toybox.world.draw import draw_scene
from vd_core.toybox.world.scenes import caption, is_held_out, sample_scene


@pytest.mark.parametrize("count", range(1, 7))
def test_a_crowds_toys_all_show(count: int) -> None:
    """Each one's box lies in the picture, mostly beside the others; none has looks that are kept from training; a seed is a scene."""
    for seed in range(30):
        scene = sample_crowd(seed, count)
        assert scene == sample_crowd(seed, count) and len(scene.toys) == count
        assert not any(is_held_out(t.identity) for t in scene.toys)
        _, boxes = draw_scene(scene)
        sides = boxes[:, 2:] - boxes[:, :2]
        assert (sides > 4).all() and (boxes >= 0).all() and (boxes <= 64).all()
        assert overlap([(t.x, t.ground, t.size) for t in scene.toys]) < 0.5
    assert len({round(t.ground, 1) for seed in range(30) for t in sample_crowd(seed, count).toys}) > 4


def test_two_rows_are_two_rows() -> None:
    feet = in_two_rows(5, np.random.default_rng(0))
    assert sorted(ground > 0.7 for _, ground, _ in feet).count(True) in (2, 3) and len(feet) == 5


def test_toys_on_top_of_each_other_overlap() -> None:
    assert overlap([(0.5, 0.9, 0.4), (0.5, 0.9, 0.4)]) == pytest.approx(1)
    assert overlap([(0.2, 0.9, 0.2), (0.8, 0.9, 0.2)]) == 0


def test_a_spread_pool_has_up_to_six_toys_in_the_words_that_the_base_reads(tmp_path: Path) -> None:
    pool, rng, tokenizer = LatentPool(tmp_path, build_vae(), SPREAD), np.random.default_rng(0), build_tokenizer()
    scenes = [pool.scene(i) for i in range(400)]
    counts = [len(s.toys) for s in scenes]
    assert set(counts) == set(range(1, 7)) and sum(c > 2 for c in counts) > 0.4 * len(counts)
    above = [s for s in scenes if not s.regions and min(t.ground for t in s.toys) < 0.6]
    assert 0.2 < len(above) / len(scenes) < 0.6
    texts = [caption_that_fits(s, rng) for s in scenes]
    assert [count_words(t) for t in texts[:20]] == [len(tokenizer.tokenize(t)) for t in texts[:20]]
    assert np.mean([count_words(t) <= MAX_TOKENS - 2 for t in texts]) > 0.98


def test_toys_count_more_than_their_place(tmp_path: Path) -> None:
    """The middle of every toy counts; the weights' mean is 1, so that the loss keeps its size; a collage counts evenly."""
    scenes = [sample_crowd(seed, 1 + seed % 4) for seed in range(12)]
    weights = weigh_toys(scenes, 4.0)
    assert weights.shape == (12, 1, 16, 16) and float(weights.mean()) == pytest.approx(1)
    for scene, own in zip(scenes, weights[:, 0], strict=True):
        assert float(own.max() / own.min()) == pytest.approx(5)
        for box in draw_scene(scene)[1]:
            x, y = ((box[:2] + box[2:]) / 8).astype(int)
            assert own[y, x] == own.max()
    collage = next(s for s in (sample_scene(seed) for seed in range(200)) if s.regions)
    assert len(weigh_toys([collage], 4.0).unique()) == 1
    assert torch.equal(weigh_toys(scenes, 0.0), torch.ones(12, 1, 16, 16))


def test_other_pools_are_what_they_were(tmp_path: Path) -> None:
    """Their scenes were trained on: nothing of them may depend on what came later."""
    pool = LatentPool(tmp_path, build_vae(), CROWDED)
    scene = pool.scene(7)
    assert (len(scene.toys), scene.background) == (1, "city")
    assert caption_that_fits(scene, np.random.default_rng(1)) == caption(scene, np.random.default_rng(1))


def test_in_half_of_the_clips_toys_move_in_their_own_ways() -> None:
    scenes = [own_motion_scene(i) for i in range(300)]
    several = [s for s in scenes if len(s.toys) > 1]
    apart = [s for s in several if len({t.motion for t in s.toys}) > 1]
    assert 0.3 < len(apart) / len(several) < 0.55 and {len(s.toys) for s in scenes} == {1, 2, 3}
