"""SVDiff's own: its cut-mix pictures, their prompts, and how many of each kind."""

from pathlib import Path

import pytest
import torch
from PIL import Image, ImageColor

from tests.helpers.methods import QUICK, SUBJECTS, run_method, watch
from vd_core.bases.stable_diffusion import Base
from vd_core.inputs.prompts import mixed_prompt, plain_prompt
from vd_core.inputs.subjects import Subject
from vd_core.methods.svdiff import cut_mix, draw_kinds
from vd_core.toybox.pretraining.tokens import build_tokenizer


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
