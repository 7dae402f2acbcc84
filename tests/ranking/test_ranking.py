"""The human study's figures: against literal sums, on agreement and chaos, and from files that strangers send."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import friedmanchisquare
from typer.testing import CliRunner

from tasks.commands.rank import app
from tasks.ranking.collecting import read_answers, read_key, summarise
from tests.helpers.study import PROMPTS, TRUTH, write_combination, write_truth
from vd_core.errors import InputError
from vd_core.studies.ranking import Rankings, agreement, as_ranks, chance_of, kendalls_w, mean_ranks

METHODS = tuple(TRUTH)
STUDY = [f"--method={name}={combination}" for name, combination in TRUTH.items()]


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page of a study whose order is known; its key lies beside it."""
    monkeypatch.chdir(tmp_path)
    write_truth()
    done = CliRunner().invoke(app, ["build", "study.html", *STUDY])
    assert done.exit_code == 0, done.output
    return tmp_path / "study.html"


def answer(key: Path, person: str, orders: dict[str, tuple[str, ...]]) -> Path:
    """What a person who ranks so would save; `orders`: question to methods, best first."""
    content = json.loads(key.read_text())
    names = {q: {method: name for name, method in videos.items()} for q, videos in content["videos"].items()}
    answers = [{"question": q, "order": [names[q][m] for m in order], "seconds": 3.5} for q, order in orders.items()]
    path = key.parent / f"answers-{person}.json"
    path.write_text(json.dumps({"study": content["study"], "person": person * 4, "answers": answers}))
    return path


def test_agreement_is_whole_none_and_friedmans() -> None:
    assert kendalls_w(np.tile([1, 2, 3, 4], (7, 1))) == pytest.approx(1)
    assert kendalls_w(np.array(list(itertools.permutations([1, 2, 3])))) == pytest.approx(0)
    ranks = np.random.default_rng(0).permuted(np.tile([1, 2, 3, 4], (30, 1)), axis=1)
    assert chance_of(kendalls_w(ranks), 30, 4) == pytest.approx(friedmanchisquare(*ranks.T).pvalue)


def test_mean_ranks_are_of_all_answers_and_their_interval_is_over_people() -> None:
    """Ten answers of one person say no more of others than one does."""
    alike = np.repeat([[1, 2], [2, 1]], 10, axis=0)
    few = mean_ranks(Rankings(("a", "b"), ("one",) * 10 + ("two",) * 10, alike))
    many = mean_ranks(Rankings(("a", "b"), tuple(str(i) for i in range(20)), alike))
    assert few["a"]["value"] == many["a"]["value"] == 1.5 and (few["a"]["n"], many["a"]["n"]) == (2, 20)
    assert few["a"]["ci95"] == [1, 2]
    assert many["a"]["ci95"][0] > 1.2 and many["a"]["ci95"][1] < 1.8
    assert agreement(Rankings(("a", "b"), ("one",) * 20, alike)) == {"kendalls_w": 0, "p": 1}


def test_a_ranking_names_each_method_once() -> None:
    assert as_ranks(["b", "c", "a"], ("a", "b", "c")) == [3, 1, 2]
    with pytest.raises(ValueError, match="does not rank each"):
        as_ranks(["b", "b", "a"], ("a", "b", "c"))


def test_the_page_names_no_method_and_its_key_knows_all(study: Path) -> None:
    page, key = study.read_text(), json.loads(study.with_suffix(".key.json").read_text())
    assert not any(name in page for name in (*TRUTH, *TRUTH.values()))
    assert "<snow>" not in page and "http" not in page
    assert list(key["prompts"].values())[1] == 'a dog, a cat in the <snow> & "rain"'
    assert all(sorted(videos.values()) == sorted(METHODS) and all(n in page for n in videos) for videos in key["videos"].values())
    places = {list(videos.values()).index("Ours") for videos in key["videos"].values()}
    assert len(key["videos"]) == len(PROMPTS) and places <= {0, 1, 2}


def test_what_people_say_comes_out(study: Path) -> None:
    key = study.with_suffix(".key.json")
    right, wrong = METHODS, METHODS[::-1]
    files = [
        answer(key, "anna", {"0": right, "1": right}),
        answer(key, "bert", {"1": right, "2": right}),
        answer(key, "carl", {"0": wrong}),
    ]
    report = summarise(read_answers(files, read_key(key)))
    assert (report["people"], report["answers"]) == (3, 5)
    assert {m: row["value"] for m, row in report["mean_rank"].items()} == {"Ours": 1.4, "DreamBooth": 2, "SVDiff": 2.6}
    done = CliRunner().invoke(app, ["collect", str(key), *map(str, files), "--out", "found.json"])
    assert done.exit_code == 0 and done.output.index("Ours") < done.output.index("DreamBooth") < done.output.index("SVDiff")
    assert json.loads(Path("found.json").read_text()) == report


@pytest.mark.parametrize(
    "damage", [lambda c: c | {"study": "another"}, lambda c: c | {"answers": [{"question": "9", "order": [], "seconds": 1}]}, lambda _: []]
)
def test_a_strangers_file_is_refused_by_its_name(study: Path, damage: object) -> None:
    key = study.with_suffix(".key.json")
    path = answer(key, "anna", {"0": METHODS})
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(InputError, match=f"{path.name} (is no answer file|answers another study)"):
        read_answers([path], read_key(key))


def test_a_study_needs_two_methods_and_prompts_that_they_share(study: Path) -> None:
    write_combination("other", 0, ["a sks dog, a olis cat in the city"])
    for arguments, said in (
        (["--method=Ours=pets-ours"], "give two or more"),
        ([*STUDY, "--method=other"], "is not name=combination"),
        ([STUDY[0], "--method=Other=other"], "share no prompt"),
        ([STUDY[0], "--method=New=new"], "new has no videos; run 'dvc repro encode@new' first"),
    ):
        done = CliRunner().invoke(app, ["build", "other.html", *arguments])
        assert done.exit_code == 1 and said in done.output and not Path("other.html").exists()
