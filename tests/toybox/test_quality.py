"""What measures the embedded base: its figures mean what they say."""

from pathlib import Path

import numpy as np
import pytest
import torch
import typer

from tasks.commands.quality import main
from vd_core.toybox.pretraining.reader_training import LARGE, draw_large, sample_large, train_places
from vd_core.toybox.pretraining.trainer import ema_weights
from vd_core.toybox.quality.average_precision import average_precision
from vd_core.toybox.quality.measured import Subjects, figure, load_subjects_of_measurement
from vd_core.toybox.quality.networks import measure_reader

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def subjects() -> Subjects:
    return load_subjects_of_measurement(ROOT / "models" / "toybox")


def test_a_figure_has_its_interval() -> None:
    assert figure([1.0] * 9) == {"value": 1.0, "n": 9, "ci95": [1.0, 1.0]}
    half = figure([0.0, 1.0] * 50)
    assert half["value"] == 0.5 and 0.38 < half["ci95"][0] < 0.45 and 0.55 < half["ci95"][1] < 0.62


def test_average_precision() -> None:
    one = np.ones(2)
    assert average_precision([(0, 0.9, True), (1, 0.8, True)], one, one) == pytest.approx(1)
    assert average_precision([(0, 0.9, True)], one, one) == pytest.approx(0.5), "a toy that is missed"
    assert average_precision([(0, 0.9, False), (0, 0.8, True), (1, 0.7, True)], one, one) == pytest.approx(2 / 3), "a surer false one"
    assert average_precision([(0, 0.9, True), (1, 0.8, True), (1, 0.1, False)], one, one) == pytest.approx(1), "a false one at the end"


def test_the_reader_is_measured_on_every_toy(subjects: Subjects) -> None:
    good = dict(measure_reader(subjects, pictures=100, batch=50))
    assert good["judge_background"]["n"] == 100 < good["judge_kind"]["n"] == good["judge_colour"]["n"]
    assert min(f["value"] for f in good.values()) > 0.9
    subjects.reader.heads["kind"].weight.data.zero_()
    blind = dict(measure_reader(subjects, pictures=100, batch=50))
    assert blind["judge_kind"]["value"] < 0.4
    assert all(blind[k] == good[k] for k in good if k != "judge_kind")


def test_places_are_read_behind_toys_that_hide_them(subjects: Subjects) -> None:
    """Subjects that were drawn alone are laid out as large as their boxes allow: snow behind a large blue cat is no ocean."""
    assert all(LARGE[0] <= toy.size <= LARGE[1] for seed in range(20) for toy in sample_large(seed).toys)
    good = dict(measure_reader(subjects, pictures=200, batch=50))["judge_background_large"]
    assert good["n"] == 50 and good["value"] > 0.9
    pictures, places = draw_large(5, 4)
    assert pictures.shape == (4, 64, 64, 3) and len(set(places)) > 1


def test_learning_places_leaves_what_reads_toys(subjects: Subjects, tmp_path: Path) -> None:
    before = {name: weight.clone() for name, weight in subjects.reader.state_dict().items()}
    after = ema_weights(train_places(tmp_path, 2, before, batch=2))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {name for name in before if name.startswith("scene.")}


def test_an_unknown_part(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        main(ROOT / "models" / "toybox", ["everything"])
    assert (
        capsys.readouterr().err
        == "error: there is no part 'everything'; choose from size, autoencoder, clip, judges, drawing, crowds, motion, own_motion\n"
    )
