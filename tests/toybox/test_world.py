"""The drawn world is what it says, and the metrics that need no network say what is true of it."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from transformers import CLIPTokenizer

from tests.helpers.pictures import noise_picture
from vd_core.inputs.mixing import draw_mixtures, mix_pictures
from vd_core.inputs.prompts import extended_prompt, mixed_prompt, plain_prompt
from vd_core.inputs.subjects import Subject
from vd_core.metrics.stitch import has_seam, stitch_score
from vd_core.toybox.pretraining.tokens import build_tokenizer
from vd_core.toybox.world.draw import draw_clip, draw_scene, in_motion
from vd_core.toybox.world.scenes import (
    BACKGROUNDS,
    COLOURS,
    HELD_OUT,
    IDENTITIES,
    KINDS,
    MOTIONS,
    PATTERNS,
    RARE_WORDS,
    STITCH_PROMPT,
    caption,
    sample_scene,
    vocabulary,
)

ROOT = Path(__file__).parents[2]


def subjects(count: int, tmp_path) -> list[Subject]:
    nouns = ("dog", "cat", "bear")
    return [Subject(nouns[i], nouns[i], RARE_WORDS[i], tmp_path) for i in range(count)]


def test_prompts_are_the_papers(tmp_path) -> None:
    assert mixed_prompt(subjects(2, tmp_path)) == "a sks dog, a krk cat"
    assert mixed_prompt(subjects(3, tmp_path)) == "a sks dog, a krk cat, and a slk bear"
    assert extended_prompt(subjects(2, tmp_path)) == f"{STITCH_PROMPT}, a sks dog, a krk cat"
    assert plain_prompt("a sks dog, a krk cat on the beach", subjects(2, tmp_path)) == "a dog, a cat on the beach"


def test_mixing_puts_each_subject_in_its_own_strip() -> None:
    red, blue, green = (noise_picture(0, (30, 30)).point(lambda _: 0) for _ in range(3))
    red.paste((255, 0, 0), (0, 0, 30, 30))
    blue.paste((0, 0, 255), (0, 0, 30, 30))
    green.paste((0, 255, 0), (0, 0, 30, 30))
    mixed = np.asarray(mix_pictures([red, blue, green], 64))
    assert mixed.shape == (64, 64, 3)
    assert (mixed[:, :21] == (255, 0, 0)).all()
    assert (mixed[:, 22:42] == (0, 0, 255)).all()
    assert (mixed[:, 43:] == (0, 255, 0)).all()


def test_mixtures_use_every_picture_before_one_comes_twice() -> None:
    chosen = np.array(draw_mixtures([3, 5], 15, seed=1))
    assert chosen.shape == (15, 2)
    for column, count in ((0, 3), (1, 5)):
        for start in range(0, 15, count):
            assert sorted(chosen[start : start + count, column]) == list(range(count))
    assert draw_mixtures([3, 5], 15, seed=1) == draw_mixtures([3, 5], 15, seed=1)
    assert draw_mixtures([3, 5], 15, seed=1) != draw_mixtures([3, 5], 15, seed=2)


def test_the_world_is_as_large_as_promised() -> None:
    assert (len(KINDS), len(COLOURS), len(PATTERNS), len(BACKGROUNDS)) == (8, 10, 4, 8)
    assert len(MOTIONS) == 7  # six, and still
    assert len(HELD_OUT) > 30


def test_training_never_sees_a_held_out_identity() -> None:
    seen = {t.identity for seed in range(3000) for t in sample_scene(seed).toys}
    assert not seen & set(HELD_OUT)
    assert len(seen) > 0.9 * (len(IDENTITIES) - len(HELD_OUT))


def test_a_seed_is_a_picture() -> None:
    first, boxes = draw_scene(sample_scene(5))
    again, _ = draw_scene(sample_scene(5))
    assert np.array_equal(first, again)
    assert first.shape == (64, 64, 3)
    assert len(boxes) == len(sample_scene(5).toys)
    assert not np.array_equal(first, draw_scene(sample_scene(6))[0])


def test_boxes_hold_the_toys() -> None:
    """Take the toy away: what changes lies in its box, but for shadow and marks."""
    for seed in range(20):
        scene = sample_scene(seed, count=1, collages=False)
        scene = in_motion(scene, "still")
        picture, boxes = draw_scene(scene)
        empty, _ = draw_scene(replace(scene, toys=()))
        changed = np.abs(picture.astype(int) - empty).max(2) > 40
        x1, y1, x2, y2 = boxes[0].astype(int)
        assert changed[y1 : y2 + 1, x1 : x2 + 1].sum() > 0.75 * changed.sum()


def test_every_word_is_one_token() -> None:
    tokenizer = build_tokenizer()
    assert all(len(tokenizer.tokenize(word)) == 1 for word in vocabulary())
    words = {w for seed in range(500) for w in caption(sample_scene(seed), np.random.default_rng(seed)).replace(",", "").split()}
    assert words <= set(vocabulary())


@pytest.mark.slow
def test_every_process_has_the_same_tokenizer() -> None:
    code = "from vd_core.toybox.pretraining.tokens import build_tokenizer; print(sorted(build_tokenizer().get_vocab().items()))"
    said = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout for _ in range(2)}
    assert said == {f"{sorted(build_tokenizer().get_vocab().items())}\n"}
    saved = CLIPTokenizer.from_pretrained(ROOT / "models" / "toybox" / "tokenizer")
    assert saved.get_vocab() == build_tokenizer().get_vocab()


def test_captions_are_true() -> None:
    for seed in range(300):
        scene = sample_scene(seed)
        text = caption(scene, np.random.default_rng(seed))
        assert all(t.kind in text for t in scene.toys)
        assert (STITCH_PROMPT in text) == bool(scene.regions)
        others = set(COLOURS) - {c for t in scene.toys for c in (t.colour, t.trim)}
        assert not others & set(text.replace(",", "").split())


@pytest.mark.parametrize("motion", [m for m in MOTIONS if m != "still"])
def test_motions_move(motion: str) -> None:
    scene = in_motion(sample_scene(3, count=1, collages=False), motion)
    clip = draw_clip(scene)
    assert clip.shape == (16, 64, 64, 3)
    assert np.abs(clip[0].astype(int) - clip[7]).mean() > 1
    still = draw_scene(in_motion(scene, "still"))[0]
    assert np.abs(clip[7].astype(int) - still).mean() > 1  # it shows in a single frame


@pytest.mark.slow
def test_stitch_score_on_pictures_with_known_seams() -> None:
    scenes = [sample_scene(seed) for seed in range(2000)]
    found = [has_seam(draw_scene(s)[0]) for s in scenes if s.regions]
    false = [has_seam(draw_scene(s)[0]) for s in scenes if not s.regions]
    assert np.mean(found) > 0.85
    assert np.mean(false) < 0.01


def test_stitch_score_on_mixed_photographs_like_pictures() -> None:
    """Smooth noise stands for photographs: a stitch of two is found at 512 pixels too, and none in each alone."""
    rng = np.random.default_rng(0)
    photos = [cv2.resize(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8), (512, 512), interpolation=cv2.INTER_CUBIC) for _ in range(12)]
    stitched = [np.concatenate([a[:, ::2], b[:, ::2]], 1) for a, b in zip(photos[::2], photos[1::2], strict=True)]
    assert stitch_score(photos) == 0
    assert stitch_score(stitched) >= 0.5
