"""Fidelity, CLIP-T and consistency against literal references, with judges whose answers are known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from vd_core.metrics.clip_scores import temporal_consistency, text_fidelity
from vd_core.metrics.fidelity import SubjectReference, assign, crop_boxes, detect, match_frames, refer_to, score_frames, subject_fidelity
from vd_core.metrics.find_subject import find_subject
from vd_core.metrics.report import average, judge_picture


class KnownJudges:
    """Sees a toy in each quarter of a 16 x 16 frame that is not black; what it sees is the quarter's mean colour.

    What is red it calls a dog, what is blue a cat, anything else a ball; what is red and blue, both a dog and a cat, a little less surely.
    """

    labels = ("background", "dog", "cat", "ball")
    identity = SimpleNamespace(config=SimpleNamespace(image_size=8))
    open_detector = None

    def detections(self, frames: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        results = []
        for frame in frames:
            found = []
            for y, x in ((0, 0), (0, 8), (8, 0), (8, 8)):
                red, green, blue = (frame[:, y : y + 8, x : x + 8].mean((1, 2)) > 0).tolist()
                labels = [3] if green else [1] * red + [2] * blue
                found += [([x, y, x + 8, y + 8], label, 0.9 - 0.1 * i) for i, label in enumerate(labels)]
            results.append(
                {
                    "boxes": torch.tensor([box for box, _, _ in found], dtype=torch.float32).reshape(-1, 4),
                    "labels": torch.tensor([label for _, label, _ in found], dtype=torch.long),
                    "scores": torch.tensor([score for _, _, score in found], dtype=torch.float32),
                }
            )
        return results

    def embed_identity(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(pictures.mean((2, 3)), dim=-1)

    def embed_images(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(pictures.flatten(1), dim=-1)

    def embed_texts(self, texts: list[str]) -> torch.Tensor:
        return torch.nn.functional.normalize(torch.ones(len(texts), 768), dim=-1)


class OpenJudges(KnownJudges):
    """Have an open detector that calls what is green a plushie, less surely than the other detector calls it a ball."""

    labels = (*KnownJudges.labels, "plushie")

    def __init__(self) -> None:
        self.open_detector = SimpleNamespace(nouns=("plushie",), find=self.find)

    def find(self, picture: torch.Tensor) -> dict[str, torch.Tensor]:
        found = self.detections([picture])[0]
        balls = found["labels"] == 3
        return {
            "boxes": found["boxes"][balls] - 0.4,
            "labels": torch.zeros(int(balls.sum()), dtype=torch.long),
            "scores": found["scores"][balls] / 3,
        }


RED, BLUE = torch.tensor([1.0, 0, 0]), torch.tensor([0, 0, 1.0])
SUBJECTS = [SubjectReference("dog", RED[None]), SubjectReference("cat", BLUE[None])]


def frame(*quarters: torch.Tensor) -> torch.Tensor:
    picture = torch.zeros(3, 16, 16)
    for i, colour in enumerate(quarters):
        picture[:, (i // 2) * 8 : (i // 2) * 8 + 8, (i % 2) * 8 : (i % 2) * 8 + 8] = colour[:, None, None]
    return picture


def score(judges: KnownJudges, frames: torch.Tensor, subjects: list[SubjectReference]) -> np.ndarray:
    return score_frames(match_frames(judges, frames, subjects))


def test_both_there_one_missing_none_there() -> None:
    scores = score(KnownJudges(), torch.stack([frame(BLUE, RED), frame(RED), frame()]), SUBJECTS)
    np.testing.assert_allclose(scores, [[1, 1], [1, np.nan], [np.nan, np.nan]], atol=1e-6)
    assert subject_fidelity(scores) == {"subject_fidelity": pytest.approx(0.5), "missing_rate": pytest.approx(0.5)}


def test_one_toy_cannot_stand_for_two_subjects() -> None:
    blend = (RED + BLUE) / 2**0.5
    scores = score(KnownJudges(), frame(blend)[None], SUBJECTS)
    assert scores[0].round(3).tolist() == [pytest.approx(0.707, abs=1e-3), pytest.approx(np.nan, nan_ok=True)]


def test_a_second_dog_is_no_cat_but_an_unknown_thing_may_be() -> None:
    reddish = torch.tensor([0.8, 0, 0])
    second_dog, ball = score(KnownJudges(), torch.stack([frame(RED, reddish), frame(RED, BLUE + 0.5)]), SUBJECTS)
    assert second_dog[0].round(3) == 1 and np.isnan(second_dog[1])
    assert 0 < ball[1] < 1
    both_dogs = score(KnownJudges(), frame(RED, reddish)[None], [SUBJECTS[0], SubjectReference("dog", RED[None])])[0]
    assert both_dogs.round(3).tolist() == [1, 1]


def test_assignment_maximises_the_sum() -> None:
    rows, columns = assign(np.array([[0.9, 0.8], [0.85, 0.1]]))
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 1), (1, 0)]


def test_reference_is_the_detected_toy_or_the_whole_picture() -> None:
    reference = refer_to(KnownJudges(), "dog", torch.stack([frame(RED), frame()]))
    torch.testing.assert_close(reference.embeddings[0], RED)
    assert reference.embeddings.shape == (2, 3)


def test_a_noun_that_the_detector_lacks_refers_to_the_whole_picture() -> None:
    """Not to the surest box of another noun: that may be the bench that the plushie sits on."""
    picture = frame(RED, torch.tensor([0, 1.0, 0]), BLUE)
    reference = refer_to(KnownJudges(), "plushie", picture[None])
    torch.testing.assert_close(reference.embeddings[0], torch.tensor([1.0, 1, 1]) / 3**0.5)


GREEN = torch.tensor([0, 1.0, 0])


def test_the_open_detectors_noun_is_the_things_noun() -> None:
    """One thing is found once, under the noun that was asked for, though the other detector is surer of its own; what else there is stays."""
    found = detect(OpenJudges(), frame(RED, GREEN)[None])[0]
    assert [OpenJudges.labels[label] for label in found["labels"].tolist()] == ["plushie", "dog"]
    assert found["boxes"].round().tolist() == [[8, 0, 16, 8], [0, 0, 8, 8]]


def test_a_plushies_reference_is_the_plushie() -> None:
    """It was the whole picture, with the bench that the plushie sits on."""
    reference = refer_to(OpenJudges(), "Plushie", frame(RED, GREEN, BLUE)[None])
    torch.testing.assert_close(reference.embeddings[0], GREEN, atol=0.01, rtol=0)


def test_a_plushie_is_cropped_to() -> None:
    """It had the middle square."""
    picture = Image.fromarray((frame(RED, BLUE, torch.zeros(3), GREEN) * 255).byte().permute(1, 2, 0).numpy())
    assert find_subject(OpenJudges(), picture, "plushie") == pytest.approx((8, 8, 16, 16), abs=0.5)
    assert find_subject(KnownJudges(), picture, "plushie") is None


def test_a_plushie_stands_for_the_plushie_alone() -> None:
    """Under a noun that nobody asked for it stood for the missing dog, and any second dog for the missing plushie."""
    subjects = [SUBJECTS[0], SubjectReference("plushie", GREEN[None])]
    reddish = torch.tensor([0.8, 0.6, 0])
    both, one, dog = score(OpenJudges(), torch.stack([frame(RED, GREEN), frame(reddish), frame(RED)]), subjects)
    assert both.round(1).tolist() == [1, 1]
    assert np.isnan(one[0]) and 0 < one[1] < 1
    assert dog[0].round(3) == 1 and np.isnan(dog[1])
    alike = score(KnownJudges(), frame(reddish)[None], subjects)[0]
    assert 0 < alike[0] < 1


def test_a_sliver_at_the_far_side_can_be_cropped() -> None:
    """A box whose rounded side is the picture's end had no pixel, and nothing can be made of none."""
    assert crop_boxes(frame(RED), torch.tensor([[15.8, 3, 16, 9], [2, 15.7, 9, 16]]), 8).shape == (2, 3, 8, 8)


def test_a_tabby_cat_is_a_cat() -> None:
    """A noun of two words was compared whole with the detector's: its boxes stood for every subject, and it was never found in its own pictures."""
    tabby = SubjectReference("tabby cat", BLUE[None])
    reference = refer_to(KnownJudges(), "tabby cat", frame(RED, BLUE)[None])
    torch.testing.assert_close(reference.embeddings[0], BLUE)
    scores = score(KnownJudges(), frame(BLUE)[None], [SUBJECTS[0], tabby])[0]
    assert np.isnan(scores[0]) and scores[1].round(3) == 1


def test_temporal_consistency_is_the_mean_over_all_pairs() -> None:
    frames = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    flat = [f.flatten() / f.norm() for f in frames]
    pairs = [float(flat[i] @ flat[j]) for i in range(5) for j in range(i)]
    assert temporal_consistency(KnownJudges(), frames) == pytest.approx(np.mean(pairs), rel=1e-5)
    assert temporal_consistency(KnownJudges(), frames[:1].expand(3, -1, -1, -1)) == pytest.approx(1, abs=1e-5)


def test_clip_t_is_the_mean_cosine() -> None:
    frames = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    expected = np.mean([float((f.flatten() / f.norm()).sum()) / 768**0.5 for f in frames])
    assert text_fidelity(KnownJudges(), frames, "x") == pytest.approx(expected, rel=1e-5)


def test_ranking_is_by_the_weakest_subject_and_puts_seams_last() -> None:
    def judged(*quarters: torch.Tensor) -> dict:
        picture = Image.fromarray((frame(*quarters) * 255).byte().permute(1, 2, 0).numpy())
        return judge_picture(KnownJudges(), picture, SUBJECTS, "x")

    both, one = judged(RED, BLUE), judged(RED)
    assert both["missing"] == 0
    assert one["missing"] == 1
    assert judged(torch.zeros(3), RED, torch.zeros(3), BLUE)["stitched"]
    assert one["rank_score"] == 0.0
    assert judged(torch.zeros(3), RED, torch.zeros(3), BLUE)["rank_score"] < one["rank_score"]


def test_average() -> None:
    assert average([{"a": 1.0, "b": 0.0}, {"a": 2.0, "b": 1.0}]) == {"a": 1.5, "b": 0.5}
    assert average([{"a": None, "b": None}, {"a": 2.0, "b": None}]) == {"a": 2.0}
