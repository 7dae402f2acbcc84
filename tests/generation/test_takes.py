"""Takes of subjects alone: who is drawn again, and whose take is kept."""

from dataclasses import replace

import numpy as np
import torch

from vd_core.generation.takes import Director, draw_alone
from vd_core.inputs.scenes import Asked, Said, ask_alone, read_scene
from vd_core.inputs.subjects import Subject

SUBJECTS = [Subject("dog", "dog", "sks", None), Subject("cat", "cat", "krk", None)]
SCENE = read_scene({"scene": "in the snow", "subjects": {"dog": "is jumping", "cat": ""}})


def find_middle(picture: np.ndarray, noun: str | None) -> np.ndarray:
    """Everything stands in the middle."""
    side = picture.shape[0]
    return np.array([[0.3, 0.3, 0.7, 0.9]]) * side


def find_nothing(picture: np.ndarray, noun: str | None) -> np.ndarray:
    return np.zeros((0, 4))


def test_who_is_not_found_is_drawn_again() -> None:
    """Three times at most, with other seeds each time; the others are left as they are."""
    calls: list[list[int]] = []

    def draw(prompt_embeds: torch.Tensor, seeds: list[int]) -> torch.Tensor:
        calls.append(seeds)
        assert len(prompt_embeds) == 1 + len(seeds)
        return torch.full((len(seeds), 1, 3, 16, 16), 0.5) * prompt_embeds[1:, None, None]

    def find(picture: np.ndarray, noun: str | None) -> np.ndarray:
        return find_middle(picture, noun) if noun == "dog" or (noun == "cat" and len(calls) == 2) else find_nothing(picture, noun)

    three = [*SUBJECTS, Subject("bear", "bear", "slk", None)]
    drawn = draw_alone(Director(find, three, 0.3), draw, torch.arange(4.0)[:, None, None], [1, 2, 3], [Asked("")] * 3)
    assert [own is not None for _, own in drawn] == [True, True, False]
    assert [len(seeds) for seeds in calls] == [3, 2, 1] and len({seed for seeds in calls for seed in seeds}) == 6


def test_the_take_most_like_its_subject_is_kept() -> None:
    """Likeness is brightness here; the cat is not found in its brightest take."""
    bright = {0: [0.1, 0.9], 1: [0.6, 0.7], 2: [0.9, 1.0]}

    def draw(prompt_embeds: torch.Tensor, seeds: list[int]) -> torch.Tensor:
        assert len(set(seeds)) == len(seeds) == 6 and prompt_embeds[1:, 0, 0].tolist() == [1, 1, 1, 2, 2, 2]
        return torch.stack([torch.tensor(bright[i % 3])[:, None, None, None].expand(2, 3, 16, 16) for i in range(6)])

    def find(picture: np.ndarray, noun: str | None) -> np.ndarray:
        return find_nothing(picture, noun) if picture.max() > 240 and noun == "cat" else find_middle(picture, noun)

    def levels(director: Director, said: list | None = None) -> list[list[float]]:
        drawn = draw_alone(director, draw, torch.arange(3.0)[:, None, None], [1, 2], [Asked("", own) for own in said or [None, None]])
        assert all(found is not None and np.array_equal(found.clip, clip) for clip, found in drawn)
        return [[round(float(frame.mean()) / 127.5 - 1, 1) for frame in clip] for clip, _ in drawn]

    def brightest(frame: np.ndarray, subject: int) -> float:
        return float(frame.mean())

    def darkest(frame: np.ndarray, said: Said) -> float:
        return -float(frame.mean()) if said == ("a dog with a hat", "a dog") else 1 / 0

    assert levels(Director(find, SUBJECTS, 0.3, 3, brightest)) == [[0.9, 1.0], [0.6, 0.7]]
    said = [("a dog with a hat", "a dog"), None]
    assert levels(Director(find, SUBJECTS, 0.3, 3, brightest, darkest), said) == [[0.6, 0.7], [0.6, 0.7]]


def test_all_are_laid_before_the_place_that_fits_best() -> None:
    """Of all takes, also of those that are not kept; places are gray here, and the darkest is asked for."""
    gray = {0: [0.2, -0.8], 1: [0.6, 0.4]}

    def draw(prompt_embeds: torch.Tensor, seeds: list[int]) -> torch.Tensor:
        return torch.stack([torch.full((1, 3, 16, 16), level) for levels in gray.values() for level in levels])

    def brightest(frame: np.ndarray, subject: int) -> float:
        return float(frame.mean())

    def darkest(place: np.ndarray, said: str) -> float:
        return -float(place.mean()) if said == "in the snow" else 1 / 0

    def backdrops(place: str) -> list[float]:
        director = Director(find_middle, SUBJECTS, 0.3, 2, brightest, fits=darkest)
        drawn = draw_alone(director, draw, torch.arange(3.0)[:, None, None], [1, 2], [Asked(place)] * 2)
        kept = [own for _, own in drawn if own is not None]
        assert [round(float(own.place.mean()) / 127.5 - 1, 1) for own in kept] == [0.2, 0.6]
        return [round(float(own.backdrop.mean()) / 127.5 - 1, 1) for own in kept]

    assert backdrops("in the snow") == [-0.8, 0.4]
    assert backdrops("") == [0.2, 0.6]  # nothing is said: as much is guessed of all


def test_what_is_asked_of_a_subject_alone_is_its_place_and_its_own_action() -> None:
    said = ("a dog is jumping in the snow", "a dog in the snow")
    assert ask_alone(SUBJECTS, SCENE) == [Asked("in the snow", said), Asked("in the snow")]
    assert ask_alone(SUBJECTS, replace(SCENE, led=frozenset({"dog"}))) == [Asked("in the snow")] * 2  # its boxes jump
    turn = read_scene({"from": "in the snow", "to": "on the beach"})
    assert ask_alone(SUBJECTS, turn) == [Asked("in the snow")] * 2 + [Asked("on the beach")] * 2
