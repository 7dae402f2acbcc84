"""Custom Diffusion's own: its views of a picture, their masks and their words."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.helpers.methods import run_method, watch
from tests.helpers.pictures import noise_picture
from vd_core.bases.stable_diffusion import Base
from vd_core.methods.custom_diffusion import LARGE, SMALL, View, augment, mask_view, prompt_view
from vd_core.toybox.pretraining.tokens import build_tokenizer


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
