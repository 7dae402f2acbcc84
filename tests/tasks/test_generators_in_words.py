"""What the page says of a generator's clips: only what they were really made by."""

from pathlib import Path

import pytest

from tasks.report.page import describe_generator
from tasks.settings import settings
from tasks.shared.sections import ExportSection, read_section
from tests.helpers.workspace import change_combination

LED = {
    "prompts": [{"scene": "in the snow", "subjects": {"dog": "", "car": ""}}],
    "regions": {"staged": 0.3},
    "render": {"motion_from_clip": True, "seeds_tried": 3},
    "motion": {"finetune": False},
}

TOLD = {
    "prompts": [{"scene": "in the snow", "subjects": {"dog": "is jumping", "car": ""}}],
    "render": {"motion_from_words": True},
}


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
@pytest.mark.parametrize(
    ("changes", "zero", "animated"),
    [
        (
            {},
            "3 frames, 8 steps, guidance 4, moves 10 and 0 of 512 pixels a frame",
            "4 frames, 8 steps, guidance 4; motion of “a bear playing in the city”",
        ),
        ({"motion": {"finetune": False}}, None, "4 frames, 8 steps, guidance 4"),
        ({"regions": {"staged": 0.3}}, None, "4 frames, 8 steps, guidance 4; motion of “a bear playing in the city”"),
        (
            TOLD,
            "3 frames, 8 steps, guidance 4; each goes as its own words say",
            "4 frames, 8 steps, guidance 4; each goes as its own words say",
        ),
        (
            LED,
            "3 frames, 8 steps, guidance 2, each subject drawn alone first, best of 3 seeds; goes the way of “a bear playing in the city”",
            "4 frames, 8 steps, guidance 2, each subject drawn alone first, best of 3 seeds; goes the way of “a bear playing in the city”",
        ),
    ],
)
def test_what_made_the_clips(workspace: Path, kind: str, changes: dict, zero: str | None, animated: str) -> None:
    change_combination(changes)
    settings("toys")
    section = read_section("toys", "export", ExportSection)
    assert describe_generator("animatediff", section) == animated
    assert zero is None or describe_generator("text2video_zero", section) == zero
