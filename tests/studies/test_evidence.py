"""What the evidence rests on: the reading of a picture, one variant from pictures to figures, the plan and its tuning."""

import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from tasks.commands.evidence import FIGURES, TUNING, Folders, read_table, seeds_of, settings_of, tune, weights_read, widen, write_document
from tests.helpers.tables import METHODS, table_of
from tests.helpers.training import make_settings
from vd_core.errors import InputError
from vd_core.methods.named import METHODS as BY_NAME
from vd_core.metrics.fidelity import refer_to
from vd_core.metrics.report import to_unit
from vd_core.studies.claims import judge_claims, summarise
from vd_core.studies.evidence import Jury, Toys, draw_bare, load_jury, load_plan, read_row, run_variant
from vd_core.toybox.world.draw import draw_scene
from vd_core.toybox.world.scenes import HELD_OUT, Scene, Toy

ROOT = Path(__file__).parents[2]
PLAN = load_plan(ROOT / "benchmarks/evidence.yaml")
DOG, CAR = ("red", "teal", "checkered"), ("white", "green", "plain")


@pytest.fixture(scope="module")
def jury() -> Jury:
    return load_jury(ROOT / "models/toybox")


def picture_of(toys: Toys, background: str = "snow") -> Image.Image:
    placed = [
        Toy(kind, *identity, x=(i + 0.5) / len(toys), size=0.5 if len(toys) > 1 else 0.6) for i, (kind, identity) in enumerate(toys.items())
    ]
    return Image.fromarray(draw_scene(Scene(tuple(placed), background, 3))[0])


def row(jury: Jury, drawn: Toys) -> dict:
    """What is read of a picture of `drawn` when a dog and a car were asked for."""
    known = [refer_to(jury.judges, k, to_unit([picture_of({k: i}, "city")])) for k, i in (("dog", DOG), ("car", CAR))]
    return read_row(jury, picture_of(drawn), known, {"dog": DOG, "car": CAR}, "a dog, a car in the snow")


def test_a_picture_is_read_as_it_was_drawn(jury: Jury) -> None:
    right = row(jury, {"dog": DOG, "car": CAR})
    assert (right["absent"], right["binding"], right["blend"], right["missing"]) == (0, 1, 0, 0)
    exchanged = row(jury, {"dog": CAR, "car": DOG})
    assert (exchanged["absent"], exchanged["binding"], exchanged["blend"]) == (0, 0, 1)
    alone = row(jury, {"dog": DOG})
    assert (alone["absent"], alone["binding"], alone["blend"], alone["missing"]) == (0.5, 0.5, 0, 0.5)
    assert right["fidelity"] > max(exchanged["fidelity"], alone["fidelity"])
    assert right["text_fidelity"] > alone["text_fidelity"]


def test_every_training_seed_is_a_finetuning_of_its_own(tmp_path: Path) -> None:
    """A variant may name fewer seeds than the plan, and every row knows its own."""
    plan = replace(PLAN, training_seeds=[0, 1], variants={"a": {"method": "dreambooth"}, "b": {"method": "svdiff", "training_seeds": [1]}})
    assert [settings_of(plan.variants["b"], s).seed for s in seeds_of(plan, plan.variants["b"])] == [1]
    found: dict[str, Folders] = {v: {(c, s): tmp_path / f"{v}{c}{s}" for c in plan.combinations for s in (0, 1)} for v in plan.variants}
    for folder in (f for folders in found.values() for f in folders.values()):
        folder.mkdir()
        (folder / "figures.json").write_text('[{"stitched": 0.0}]')
        (folder / "bare.json").write_text("[1.0]")
    table = read_table(found, plan, plan.variants, plan.combinations)
    assert [(r["combination"], r["training_seed"]) for r in table["a"]][:3] == [("dog-cat", 0), ("dog-cat", 1), ("bear-robot", 0)]
    assert [r["training_seed"] for r in table["b"]] == [1] * 5 and table["b"][0]["stitched_bare"] == 1


def test_a_report_becomes_tables_and_a_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_of(**{v: {"stitched": 0, "fidelity": 0.7 if v == "disen_mix" else 0.5} for v in METHODS})
    table = {v: [{**dict.fromkeys(FIGURES, 0.5), **row} for row in rows] for v, rows in table.items()}
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    Path("docs/evidence.md").write_text("".join(f"<!-- {marker} -->\n<!-- /{marker} -->\n" for marker in ("table", "claims")))
    Path("benchmarks").mkdir()
    shutil.copy(ROOT / "benchmarks/evidence.yaml", "benchmarks")
    Image.new("RGB", (16, 48)).save("pictures.png")
    found: dict[str, Folders] = {v: {(c, s): tmp_path for c in PLAN.combinations for s in (0, 1)} for v in METHODS}
    write_document({"claims": judge_claims(table), "variants": summarise(table, FIGURES)}, found, PLAN.combinations)
    lines = {line.split(" | ")[0]: line.split(" | ") for line in Path("docs/evidence.md").read_text().splitlines()}
    assert lines["| C1"][2] == "**reproduced**" and lines["| C1"][-1] == "12, 24, 144 |"
    assert lines["| C8"][2:4] == ["**cannot show here**", "+0.000: both sides within 0.312 of the same end"]
    assert len({len(line) for name, line in lines.items() if name.startswith("| C")}) == 1
    assert Path("docs/evidence.png").exists()


def test_the_plans_toys_are_held_out() -> None:
    for toys in (*PLAN.combinations.values(), *PLAN.tuning.values()):
        assert set(toys.values()) <= set(HELD_OUT)
    sizes = sorted(len(t) for t in PLAN.combinations.values())
    assert sizes == [2, 2, 2, 2, 3] and len(PLAN.prompts) == 6 and PLAN.pictures == 2
    reported = {i for toys in PLAN.combinations.values() for i in toys.items()}
    assert not reported & {i for toys in PLAN.tuning.values() for i in toys.items()}


def test_an_invalid_plan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text("seed: 0\n")
    with pytest.raises(InputError, match="is not a valid plan"):
        load_plan(tmp_path / "plan.yaml")


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_one_variant_from_pictures_to_figures(base_folders: dict[str, Path], kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "base"
    shutil.copytree(base_folders[kind], folder)
    shutil.rmtree(folder / "judges", ignore_errors=True)
    shutil.copytree(ROOT / "models/toybox/judges", folder / "judges")
    plan = replace(PLAN, prompts=["in the snow", "in space"], candidates=2, picks=1)
    settings = make_settings(schedule={"steps": 2})
    rows = [run_variant(folder, {"dog": DOG, "car": CAR}, "disen_mix", 1, settings, 2, plan, tmp_path / str(n)) for n in range(2)]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 4 and all(r["subjects"] == 2 for r in rows[0])
    stitched = [draw_bare(folder, {"dog": DOG, "car": CAR}, plan, tmp_path / str(n)) for n in range(2)]
    assert stitched[0] == stitched[1] and len(stitched[0]) == 4 and set(stitched[0]) <= {0.0, 1.0}
    assert (tmp_path / "0/pictures.png").read_bytes() == (tmp_path / "1/pictures.png").read_bytes()


def test_only_weights_that_decide_a_variant_make_it_anew() -> None:
    parts = ("unet", "image_encoder", "motion_adapter")
    hashes = {Path(f"base/{p}/model.safetensors"): p for p in parts} | {Path("base/judges/text_head.safetensors"): "text_head"}
    assert weights_read({"method": "disen_mix"}, hashes) == "unetimage_encoder"
    assert weights_read({"method": "disen_mix", "finetune": {"disen_mix": {"visual_embedding": False}}}, hashes) == "unet"
    assert weights_read({"method": "dreambooth"}, hashes) == "unet"


def test_a_best_rate_at_the_edge_asks_for_one_more_beyond_it() -> None:
    assert widen([1e-3, 2e-3, 4e-3], [0.1, 0.3, 0.2]) == [1e-3, 2e-3, 4e-3]
    assert widen([1e-3, 2e-3, 4e-3], [0.3, 0.2, 0.1]) == [5e-4, 1e-3, 2e-3, 4e-3]
    assert widen([1e-2, 3e-2, 1e-1], [0.1, 0.2, 0.3]) == [1e-2, 3e-2, 1e-1, 3e-1]


def test_tuning_goes_on_until_every_best_rate_lies_inside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def peak_at_8e_3(_: object, rates: dict[str, list[float]]) -> dict[str, dict[str, float]]:
        return {
            f"{v} {r:g}": {"fidelity": 0.5, "binding": 0.5, "text_fidelity": 0.5, "mean": -abs(r - 8e-3)} for v in rates for r in rates[v]
        }

    document = tmp_path / "evidence.md"
    document.write_text("<!-- tuning -->\n<!-- /tuning -->\n")
    for name, value in (("try_rates", peak_at_8e_3), ("TUNING", tmp_path / "tuning.json"), ("DOCUMENT", document)):
        monkeypatch.setattr(f"tasks.commands.evidence.{name}", value)
    tune(replace(PLAN, learning_rates={"disen_mix": [1e-3, 2e-3, 4e-3]}))
    rows = json.loads((tmp_path / "tuning.json").read_text())
    assert [n for n, row in rows.items() if row["chosen"]] == ["disen_mix 0.008"]
    assert list(rows)[-1] == "disen_mix 0.02" and "**0.008**" in document.read_text()


def test_every_tried_variant_is_in_the_plan_at_rates_two_to_three_times_apart() -> None:
    assert {v["method"] for v in PLAN.variants.values()} == set(BY_NAME) == {PLAN.variants[v]["method"] for v in PLAN.learning_rates}
    for rates in PLAN.learning_rates.values():
        assert len(rates) == 3 and all(1.9 < b / a < 3.4 for a, b in pairwise(rates))


def test_the_plan_has_the_rates_that_the_tuning_chose() -> None:
    rows = json.loads((ROOT / TUNING).read_text())
    chosen = dict(name.split() for name, row in rows.items() if row["chosen"])
    assert {v: f"{settings_of(PLAN.variants[v], 0).finetune.schedule.learning_rate:g}" for v in PLAN.learning_rates} == chosen
