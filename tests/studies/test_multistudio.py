"""MultiStudioBench: both editions are what the paper counts, and what they must not be is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers.imports import ROOT
from vd_core.errors import InputError
from vd_core.studies.multistudio import DrawnSubject, Edition, PhotographedSubject, load_edition, select
from vd_core.studies.multistudio_toys import find_toy_faults
from vd_core.toybox.world.demo import PICTURE_BACKGROUNDS, SUBJECTS
from vd_core.toybox.world.scenes import BACKGROUNDS, HELD_OUT, MOTIONS, TRAINING

FOLDER = ROOT / "benchmarks/multistudio"


@pytest.fixture(params=["real", "toybox"])
def edition(request: pytest.FixtureRequest) -> Edition:
    return load_edition(FOLDER / f"{request.param}.yaml")


def test_a_method_makes_1800_videos(edition: Edition) -> None:
    full = select(edition, "full")
    assert full.videos == 1800 and full.seeds == (0, 1, 2, 3)
    assert sorted(len(own) for own in full.combinations.values()) == [2] * 12 + [3] * 3
    kinds = [p.kind for p in full.prompts]
    assert len(kinds) == 30 and set(kinds) == {"action", "background", "both"}


def test_quick_is_a_part_of_full(edition: Edition) -> None:
    quick, full = select(edition, "quick"), select(edition, "full")
    assert quick.videos == 60 and len(quick.combinations) == 5
    assert [p.kind for p in quick.prompts] == ["action"] * 2 + ["background"] * 2 + ["both"] * 2
    assert set(quick.prompts) < set(full.prompts) and quick.combinations.items() <= full.combinations.items()
    assert {len(own) for own in quick.combinations.values()} == {2, 3}


def test_quick_needs_no_archive_by_hand() -> None:
    edition = load_edition(FOLDER / "real.yaml")
    subjects = [s for own in select(edition, "quick").combinations.values() for s in own.values()]
    assert all(isinstance(s, PhotographedSubject) and edition.sources[s.source].archive for s in subjects)


def test_the_toys_words_are_the_worlds() -> None:
    prompts = load_edition(FOLDER / "toybox.yaml").prompts
    assert set(prompts.action) == {f"are {words}" for words in MOTIONS.values() if words}
    assert set(prompts.background) == set(BACKGROUNDS.values())
    shown = {BACKGROUNDS[b] for b in PICTURE_BACKGROUNDS}
    assert not set(prompts.background[:3]) & shown
    assert not any(place in text for text in prompts.both for place in shown)


def changed(tmp_path: Path, name: str, change: Callable[[dict[str, Any]], object]) -> Path:
    content = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    change(content)
    path = tmp_path / "edition.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: e["combinations"].popitem(), "15|14 combinations"),
        (lambda e: e["combinations"].update(cat_dog6=["cat", "nobody"]), "combinations.cat_dog6 names nobody, which is no subject"),
        (lambda e: e["combinations"].update(cat_dog6=["cat", "cat2"]), "has two subjects of one noun"),
        (lambda e: e["combinations"].update(cat_dog6=["dog2", "cat2"]), "two combinations have the same subjects"),
        (lambda e: e["combinations"].update({"rc-car_clock": ["rc-car", "teapot"]}), "subject clock is in no combination"),
        (lambda e: e["prompts"]["action"].append("are swimming in a pool"), "30 different prompts of 31"),
        (lambda e: e["prompts"]["both"].pop(), "29 different prompts of 29"),
        (lambda e: e["quick"]["combinations"].append("nothing"), "quick names nothing, which is no combination"),
        (lambda e: e["sources"].pop("customconcept101"), "source customconcept101 is not among the sources"),
        (lambda e: e["sources"]["dreambooth"].update(archive="http://github.com/x.zip"), "sources.dreambooth.archive: String should match"),
        (lambda e: e["subjects"]["cat"].update(folder="../../.ssh"), "subjects.cat.PhotographedSubject.folder: String should match"),
        (lambda e: e["subjects"].update({"../cat": e["subjects"].pop("cat")}), "String should match"),
        (lambda e: e.update(seeds=5), "seeds: Input should be 4"),
        (lambda e: e.update(more=1), "more: Extra inputs"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_edition_is_refused_in_one_line(change: Callable[[dict], object], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said) as refused:
        load_edition(changed(tmp_path, "real", change))
    assert "\n" not in str(refused.value)


def test_what_is_no_edition_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="take it from the repository"):
        load_edition(tmp_path / "none.yaml")


def faults(tmp_path: Path, change: Callable[[dict[str, Any]], object], used: tuple = ()) -> list[str]:
    return find_toy_faults(load_edition(changed(tmp_path, "toybox", change)), used)


def test_toys_that_the_base_has_seen_or_that_are_used_elsewhere_are_named(tmp_path: Path) -> None:
    def looks(own: tuple[str, str, str]) -> Callable[[dict], object]:
        return lambda e: e["subjects"]["bird4"].update(looks=list(own))

    assert faults(tmp_path, lambda e: None) == []
    assert faults(tmp_path, looks(TRAINING[0])) == [f"subjects.bird4: {' '.join(TRAINING[0])} is not held out: the base has seen it"]
    assert "the demo's or the tuning's" in faults(tmp_path, looks(SUBJECTS["dog"]))[0]
    own = load_edition(FOLDER / "toybox.yaml").subjects["bird4"]
    assert isinstance(own, DrawnSubject) and own.looks in HELD_OUT
    assert "the demo's or the tuning's" in faults(tmp_path, lambda e: None, (own.looks,))[0]


def test_toys_that_cannot_be_told_apart_and_words_that_nobody_taught_are_named(tmp_path: Path) -> None:
    alike = next(i for i in HELD_OUT if i[0] == "blue" and i not in SUBJECTS.values())
    assert any("two toys of one color" in f for f in faults(tmp_path, lambda e: e["subjects"]["bird4"].update(looks=list(alike))))
    assert faults(tmp_path, lambda e: e["prompts"].update(action=["are surfing", *e["prompts"]["action"][1:]])) == [
        "prompts.action: the base has no word 'surfing'"
    ]
    assert "subjects.dog1: there is no toy called wolf" in faults(tmp_path, lambda e: e["subjects"]["dog1"].update(class_noun="wolf"))
