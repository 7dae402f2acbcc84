"""The presets' placeholders and prompts in CLIP's real tokenizer."""

from pathlib import Path

import open_clip
import pytest
import torch

from tasks.shared.yaml_files import read_yaml
from tests.helpers.clip_tokenizer import clip_tokenizer
from tests.helpers.workspace import ROOT, change_combination, run_stages
from vd_core.bases.encode import tokenize
from vd_core.bases.stable_diffusion import Base
from vd_core.errors import InputError
from vd_core.inputs.prompts import check_prompts, extended_prompt, placed_prompt, scene_prompt, spelled_words
from vd_core.inputs.subjects import Subject

PRESETS = ["sd15", "sd21"]
FIRST_RARE = 30_000
"""Of CLIP's 49,408 tokens, the most frequent merges first. The line was drawn below the presets' most frequent one (kker, 32,399)."""


def placeholders(preset: str) -> list[str]:
    return read_yaml(ROOT / "presets" / f"{preset}.yaml")["placeholder_tokens"]


@pytest.mark.parametrize("preset", PRESETS)
def test_placeholders_are_eight_rare_words_of_one_token_each(preset: str) -> None:
    tokenizer, words = clip_tokenizer(preset), placeholders(preset)
    pieces = [tokenizer.tokenize(f"a {word} dog") for word in words]
    assert pieces == [["a</w>", f"{word}</w>", "dog</w>"] for word in words]
    assert len(set(words)) == 8
    assert min(tokenizer.convert_tokens_to_ids([f"{word}</w>" for word in words])) > FIRST_RARE


def test_the_tokenizer_is_open_clips() -> None:
    texts = ["a sks dog, a olis cat are surfing in the ocean", "it's 3 o'clock", "naïve Übermut, 東京"]
    own = clip_tokenizer("sd21")(texts, padding="max_length", return_tensors="pt").input_ids
    assert torch.equal(own, open_clip.get_tokenizer("ViT-B-32")(texts))


@pytest.mark.parametrize("preset", PRESETS)
def test_eight_subjects_fit_with_an_action_and_a_place(preset: str) -> None:
    nouns = ["dog", "cat", "teddy bear", "robot", "bird", "backpack", "car", "vase"]
    subjects = [Subject(n, n, t, Path()) for n, t in zip(nouns, placeholders(preset), strict=True)]
    tokenizer = clip_tokenizer(preset)
    prompts = [extended_prompt(subjects), scene_prompt(subjects, "are playing guitars in the snow in front of the Eiffel Tower")]
    prompts.append(placed_prompt([s.instance_prompt for s in subjects], tokenizer))
    check_prompts({str(i): p for i, p in enumerate(prompts)}, tokenizer)


def test_clips_tokenizer_spells_no_word_that_people_write() -> None:
    assert (
        spelled_words(["are surfing in the ocean in front of the Eiffel Tower", "a corgi and a plushie skateboarding"], clip_tokenizer())
        == []
    )


def test_a_prompt_of_77_tokens_passes_and_the_next_word_is_named() -> None:
    tokenizer = clip_tokenizer()
    check_prompts({"a": " ".join(["dog"] * 75)}, tokenizer)
    assert len(tokenizer(" ".join(["dog"] * 75)).input_ids) == 77
    with pytest.raises(
        InputError, match=r"^hlr.related_prompts\[2\]: .* is 77 tokens long and this base reads 75; shorten it, or 'on mars' would"
    ):
        check_prompts({"hlr.related_prompts[2]": " ".join(["dog"] * 75 + ["on", "mars"])}, tokenizer)


def test_long_prompts_with_other_ends_are_refused_not_made_equal(base: Base) -> None:
    """Both were cut to the same tokens, and gave the same video."""
    assert tokenize(base, ["a dog", ""]).shape == (2, base.tokenizer.model_max_length)
    start = " ".join(["dog"] * base.tokenizer.model_max_length)
    for end in ("on the beach", "in the snow"):
        with pytest.raises(InputError, match=f"{end}' would be cut off"):
            tokenize(base, [f"{start} {end}"])


@pytest.mark.parametrize("kind", ["sd1"])
@pytest.mark.parametrize(("key", "value"), [("prompts", ["in the snow", "dog " * 90]), ("motion_prompt", "dog " * 90)])
def test_settings_refuse_a_long_prompt_before_anything_runs(workspace: Path, key: str, value: str | list[str]) -> None:
    change_combination({key: value})
    with pytest.raises(InputError, match=rf"^combinations.toys.{key}.* tokens long"):
        run_stages()
    assert not Path("runs").exists()
