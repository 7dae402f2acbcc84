"""Prompts with regions and events: read, refused in one line, and what the base is asked for with."""

from pathlib import Path
from typing import Any

import pytest

from vd_core.errors import InputError
from vd_core.inputs.scenes import check_subjects, event_starts, part_prompts, read_scene, spoken_prompt, spoken_prompts, whole_prompt
from vd_core.inputs.subjects import Subject

SUBJECTS = [Subject("dog", "dog", "sks", Path()), Subject("cat", "cat", "krk", Path())]
TWO = {"scene": "in the snow", "subjects": {"dog": "is jumping", "cat": ""}}


def test_a_text_stays_a_text() -> None:
    scene = read_scene("on the beach")
    assert whole_prompt(SUBJECTS, scene) == spoken_prompt(SUBJECTS, scene) == "a sks dog, a krk cat on the beach"
    assert part_prompts(SUBJECTS, scene, repeat=True) == {} and event_starts(scene, 8) == [0]


def test_every_subject_has_its_own_action_and_the_place() -> None:
    scene = read_scene(TWO)
    assert whole_prompt(SUBJECTS, scene) == "a sks dog, a krk cat in the snow"
    assert spoken_prompt(SUBJECTS, scene) == "a sks dog is jumping, a krk cat in the snow"
    assert part_prompts(SUBJECTS, scene, repeat=False) == {
        "subjects.dog": "a sks dog is jumping in the snow",
        "subjects.cat": "a krk cat in the snow",
    }
    assert part_prompts(SUBJECTS, scene, repeat=True)["subjects.dog"] == "a sks dog is jumping, a sks dog is jumping in the snow"


def test_boxes_and_boxes_over_time() -> None:
    layout = {"dog": [0, 0.2, 0.5, 1], "cat": [[0.5, 0, 1, 1], [0.5, 0.2, 1, 1]]}
    scene = read_scene({**TWO, "layout": layout})
    assert scene.layout == {"dog": ((0, 0.2, 0.5, 1),), "cat": ((0.5, 0, 1, 1), (0.5, 0.2, 1, 1))}
    assert read_scene({**TWO, "layout": "auto"}) == read_scene(TWO) and read_scene({**TWO, "bounded": True}).bounded


def test_events_by_frames_and_from_one_to_another() -> None:
    scene = read_scene({"8": "in the snow", 0: "on the beach"})
    assert event_starts(scene, 16) == [0, 8] and whole_prompt(SUBJECTS, scene) == "a sks dog, a krk cat on the beach"
    assert part_prompts(SUBJECTS, scene, repeat=False) == {"8": "a sks dog, a krk cat in the snow"}
    assert spoken_prompt(SUBJECTS, scene) == "a sks dog, a krk cat on the beach, then in the snow"
    assert event_starts(read_scene({"from": "in the forest", "to": "on the beach"}), 10) == [0, 5]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (3, "a prompt is a text"),
        ({}, "a prompt is a text"),
        ({"from": "on the beach"}, "to is missing beside from"),
        ({0: "on the beach"}, "two or more"),
        ({2: "on the beach", 8: "in the snow"}, "the first at frame 0"),
        ({0: "on the beach", 8: 3}, "8 is 3; write a text"),
        ({"scene": "in the snow"}, "subjects names each subject's own action"),
        ({**TWO, "scene": None}, "scene is None"),
        ({**TWO, "layout": "rows"}, "layout is auto, or has a box for each of dog, cat"),
        ({**TWO, "layout": {"dog": [0, 0, 1, 1]}}, "layout is auto, or has a box"),
        ({**TWO, "layout": {"dog": [0.5, 0, 0.2, 1], "cat": [0, 0, 1, 1]}}, "layout.dog is .*; write .left, top, right, bottom."),
        ({**TWO, "layout": {"dog": [[0, 0, 1, 2]], "cat": [0, 0, 1, 1]}}, "layout.dog is"),
        ({**TWO, "layout": {"dog": ["a", 0, 1, 1], "cat": [0, 0, 1, 1]}}, "layout.dog is"),
        ({**TWO, "bounded": "yes"}, "bounded is 'yes'; write true or false"),
        ({**TWO, "place": "here"}, "'place' is not a key of a prompt"),
    ],
)
def test_what_is_no_prompt_is_said_in_one_line(raw: Any, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read_scene(raw)
    assert ("\n" not in str(caught.value) and "; " in str(caught.value)) or ":" in str(caught.value)


def test_a_scene_names_the_combinations_subjects() -> None:
    check_subjects(read_scene(TWO), ("cat", "dog"))
    check_subjects(read_scene("in the snow"), ("cat",))
    with pytest.raises(InputError, match="name each of dog, cat, car"):
        check_subjects(read_scene(TWO), ("dog", "cat", "car"))


def test_every_prompt_that_is_read_is_named_by_its_key() -> None:
    """Their length is checked: a region's prompt, repeated, is the longest."""
    said = spoken_prompts("pets", SUBJECTS, [read_scene("x"), read_scene(TWO)], ("",), None, repeat=True)
    assert said["combinations.pets.prompts[1].subjects.cat"] == "a krk cat, a krk cat in the snow"
    assert set(said) == {
        "combinations.pets.prompts[0]",
        "combinations.pets.prompts[1]",
        "combinations.pets.prompts[1].subjects.dog",
        "combinations.pets.prompts[1].subjects.cat",
        "hlr.related_prompts[0]",
    }
