"""The identity matrix on cases whose answer is known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vd_core.metrics.fidelity import Matches, SubjectReference, match_frames, refer_to, score_frames
from vd_core.metrics.identity_matrix import identity_separation
from vd_core.metrics.judges import Judges, load_local_judges
from vd_core.metrics.report import judge_clip, to_unit
from vd_core.toybox.world.draw import draw_scene
from vd_core.toybox.world.scenes import Scene, Toy

ROOT = Path(__file__).parents[2]
DOG, CAT = ("red", "teal", "checkered"), ("yellow", "pink", "plain")


def matched(*cosines: list[float]) -> Matches:
    """Detection k is subject k's."""
    own = np.arange(len(cosines[0]))
    return Matches(np.array(cosines), own, own)


def test_own_less_the_greatest_other() -> None:
    assert identity_separation([matched([0.9, 0.2], [0.3, 0.7])]) == {"identity_margin": pytest.approx(0.55), "collapse_rate": 0}
    three = matched([0.9, 0.1, 0.1], [0.3, 0.8, 0.1], [0.4, 0.2, 0.6])
    assert identity_separation([three])["identity_margin"] == pytest.approx((0.5 + 0.6 + 0.5) / 3)


def test_a_subject_that_looks_like_another_has_collapsed() -> None:
    """Both are the first subject: fidelity of the second is still 0.5, which says nothing of it."""
    both_the_first = matched([0.9, 0.8], [0.5, 0.5])
    assert score_frames([both_the_first]).tolist() == [[0.9, 0.5]]
    assert identity_separation([both_the_first])["collapse_rate"] == 0.5
    assert identity_separation([both_the_first, matched([0.9, 0.2], [0.3, 0.7])])["collapse_rate"] == 0.25


def test_what_is_missing_has_no_margin_and_a_single_subject_none_at_all() -> None:
    one_found = Matches(np.array([[0.9], [0.3]]), np.array([0]), np.array([0]))
    assert identity_separation([one_found]) == {"identity_margin": pytest.approx(0.6), "collapse_rate": 0}
    nothing = Matches(np.zeros((2, 0)), np.zeros(0, int), np.zeros(0, int))
    assert identity_separation([nothing]) == identity_separation([matched([0.9])]) == {"identity_margin": None, "collapse_rate": None}


@pytest.fixture(scope="module")
def judges() -> Judges:
    return load_local_judges(ROOT / "models/toybox/judges", torch.device("cpu"))


def picture(dog: tuple[str, str, str], cat: tuple[str, str, str], seed: int) -> Image.Image:
    toys = (Toy("dog", *dog, x=0.27, size=0.46), Toy("cat", *cat, x=0.73, size=0.46))
    return Image.fromarray(draw_scene(Scene(toys, "snow", seed))[0])


def references(judges: Judges) -> list[SubjectReference]:
    own = {kind: [Toy(kind, *looks, size=0.6)] for kind, looks in (("dog", DOG), ("cat", CAT))}
    drawn = {kind: to_unit([Image.fromarray(draw_scene(Scene((toy,), "city", 5))[0]) for toy in toys]) for kind, toys in own.items()}
    return [refer_to(judges, kind, pixels) for kind, pixels in drawn.items()]


def test_drawn_toys_with_each_others_looks_come_nearer_to_each_other(judges: Judges) -> None:
    def separation(dog: tuple, cat: tuple) -> dict[str, float | None]:
        return identity_separation(match_frames(judges, to_unit([picture(dog, cat, s) for s in range(4)]), references(judges)))

    right, exchanged = separation(DOG, CAT), separation(CAT, DOG)
    assert right["collapse_rate"] == 0
    assert (right["identity_margin"] or 0) > (exchanged["identity_margin"] or 0) + 0.3


def test_a_clips_figures(judges: Judges) -> None:
    """The embedded base's judges know no photographs, so nothing is said of how good they are."""
    figures = judge_clip(judges, [picture(DOG, CAT, 3)] * 3, references(judges), "a dog, a cat in the snow", None)
    assert set(figures) == {
        *("subject_fidelity", "missing_rate", "identity_margin", "collapse_rate", "text_fidelity", "temporal_consistency"),
        *("stitch_score", "motion_smoothness", "motion_amplitude"),
    }
    assert (figures["motion_smoothness"], figures["motion_amplitude"], figures["collapse_rate"]) == (1, 0, 0)
