"""What the evidence rests on: the reading of a picture, the verdict on a claim, one variant from pictures to figures."""

import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.commands.evidence import FIGURES, TUNING, Folders, read_table, seeds_of, settings_of, tune, weights_read, widen, write_document
from tests.helpers.training import make_settings
from vd_core.errors import InputError
from vd_core.methods.named import METHODS as BY_NAME
from vd_core.metrics.fidelity import refer_to
from vd_core.metrics.intervals import resample
from vd_core.metrics.report import to_unit
from vd_core.studies.claims import CLAIMS, PEERS, Claim, Table, design_of, judge, judge_claims, summarise
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


METHODS = {
    **{v: v for v in ("disen_mix", "dreambooth", "custom_diffusion", "svdiff")},
    **dict.fromkeys(("disen_mix_hlr", "without_stitch_prompt", "without_visual_embedding", "without_weak_denoising"), "disen_mix"),
}
BETWEEN = {"fidelity": 0.5, "text_fidelity": 0.5, "stitched": 0.5, "stitched_bare": 0.5}


def as_rows(values: np.ndarray, figure: str, method: str, pairs: int) -> list[dict]:
    """`values` `[combinations, finetunings, pictures]` as rows; the first `pairs` combinations are of two subjects, the others of three."""
    return [
        {figure: float(values[c, k, p]), "subjects": 2 + (c >= pairs), "combination": f"c{c}", "training_seed": k, "method": method}
        for c, k, p in np.ndindex(*values.shape)
    ]


def simulate(
    rng: np.random.Generator, means: dict[str, float], figure: str, pairs: int, shape: tuple[int, int, int], noise: tuple
) -> Table:
    """Rows around true means, with noise of a variant on a combination, of a finetuning, and of a picture; a mean of 0 or 1 stays exact."""
    between, training, picture = noise

    def draw(mean: float) -> np.ndarray:
        c, k, p = shape
        spread = between * rng.normal(size=(c, 1, 1)) + training * rng.normal(size=(c, k, 1)) + picture * rng.normal(size=(c, k, p))
        return mean + (0 if mean in (0, 1) else 1) * spread

    return {v: as_rows(draw(mean), figure, METHODS[v], pairs) for v, mean in means.items()}


def table_of(**means: dict[str, float]) -> Table:
    """All variants on eight pairs and four triples, two finetunings of six pictures each: figures around 0.5 or what `means` says."""
    rng = np.random.default_rng(0)
    per_figure = [
        simulate(rng, {v: means.get(v, {}).get(figure, mean) for v in METHODS}, figure, 8, (12, 2, 6), (0.01, 0.01, 0.05))
        for figure, mean in BETWEEN.items()
    ]
    return {
        v: [{k: x for part in parts for k, x in part.items()} for parts in zip(*(t[v] for t in per_figure), strict=True)] for v in METHODS
    }


def judge_one(claim: Claim, table: Table, draws: int = 1000) -> dict:
    design = design_of(table)
    return judge(claim, table, design, resample(design, draws))


def picture_interval(table: Table, figure: str) -> tuple[float, float]:
    """The interval of a paired difference that takes every picture for independent."""
    one, other = (np.array([row[figure] for row in rows]) for rows in table.values())
    taken = np.random.default_rng(0).integers(len(one), size=(1000, len(one)))
    low, high = np.percentile((one - other)[taken].mean(1), [2.5, 97.5])
    return low, high


@pytest.mark.parametrize(("pairs", "combinations", "seeds"), [(8, 12, 2), (6, 6, 1)])
def test_the_interval_covers_the_truth_and_that_of_pictures_does_not(pairs: int, combinations: int, seeds: int) -> None:
    """Combinations differ as they did when C1 was measured (intra-class correlation 0.3): 95% intervals hold the truth 95 times in 100."""
    rng, truth, held, held_by_pictures, detectable = np.random.default_rng(1), 0.1, 0, 0, []
    means = {"disen_mix": 0.5 + truth, "without_weak_denoising": 0.5}
    for _ in range(200):
        table = simulate(rng, means, "fidelity", pairs, (combinations, seeds, 6), (0.15, 0.06, 0.2))
        found = judge_one(CLAIMS["C11"], table)
        held += found["ci95"][0] <= truth <= found["ci95"][1]
        low, high = picture_interval(table, "fidelity")
        held_by_pictures += low <= truth <= high
        detectable.append(found["detectable"])
    assert 180 <= held <= 197
    assert held_by_pictures < 160
    variance = 2 * (0.15**2 + 0.06**2 / seeds + 0.2**2 / seeds / 6) / combinations
    assert np.sqrt(np.mean(np.square(detectable))) == pytest.approx(2.8 * variance**0.5, rel=0.1)


def test_an_effect_is_reproduced_and_its_reverse_refuted() -> None:
    better = judge_claims(table_of(disen_mix={"fidelity": 0.7}, svdiff={"text_fidelity": 0.3, "stitched": 0.9}))
    for name in ("C1", "C2", "C3", "C6 highest", "C11"):
        assert better[name]["verdict"] == "reproduced", name
    assert better["C1"]["difference"] == pytest.approx(0.2, abs=0.02)
    assert better["C1"]["n"] == {"combinations": 12, "finetunings": 24, "pictures": 144}
    assert better["C8"]["n"] == {"combinations": 4, "finetunings": 8, "pictures": 48}
    worse = judge_claims(table_of(disen_mix={"fidelity": 0.3, "text_fidelity": 0.2}))
    assert worse["C1"]["verdict"] == worse["C3"]["verdict"] == worse["C11"]["verdict"] == "refuted"
    assert worse["C7"]["verdict"] == f"not separable below {worse['C7']['detectable']:.3f}"
    assert worse.keys() == CLAIMS.keys()


def test_what_stands_at_a_floor_or_a_ceiling_on_both_sides_cannot_be_shown() -> None:
    none = judge_claims(table_of(**{v: {"stitched": 0, "stitched_bare": 1} for v in METHODS}))
    for name in ("C6 highest", "C6 order", "C7", "C8", "C9"):
        for found in (none[name], none[f"{name} bare"]):
            assert found["verdict"] == "cannot show here" and "ci95" not in found
    assert none["C6 order"]["bound"] == pytest.approx(1 - 0.05 ** (1 / 24), abs=1e-4)  # 24 finetunings, and not their 144 pictures
    assert none["C7"]["bound"] == none["C8"]["bound"] == pytest.approx(1 - 0.05 ** (1 / 8), abs=1e-4)
    apart = judge_claims(table_of(**{v: {"stitched": 0} for v in METHODS if v != "svdiff"}))
    assert apart["C6 highest"]["verdict"] == "reproduced"


def test_equal_variants_seldom_refute() -> None:
    """Of equal methods one always happens to be best: the interval of the draws' own maximum refuted C1 in 13 of 100 such tables."""
    rng, equal = np.random.default_rng(1), dict.fromkeys(("disen_mix", *PEERS), 0.5)
    tables = [simulate(rng, equal, "fidelity", 8, (12, 1, 4), (0.15, 0.06, 0.2)) for _ in range(100)]
    verdicts = [judge_one(CLAIMS["C1"], table)["verdict"] for table in tables]
    assert verdicts.count("refuted") <= 5 and verdicts.count("reproduced") <= 3


def test_custom_diffusion_above_svdiff_refutes_that_svdiff_is_highest() -> None:
    seams = {"svdiff": 0.6, "custom_diffusion": 0.8, "dreambooth": 0.1, "disen_mix": 0.1}
    found = judge_claims(table_of(**{v: {"stitched": rate} for v, rate in seams.items()}))
    assert found["C6 highest"]["verdict"] == "refuted" and found["C6 order"]["verdict"] == "reproduced"
    low_custom = judge_claims(table_of(**{v: {"stitched": rate} for v, rate in (seams | {"custom_diffusion": 0.05}).items()}))
    assert low_custom["C6 highest"]["verdict"] == "reproduced" and low_custom["C6 order"]["verdict"] == "refuted"


def test_with_one_combination_of_a_kind_the_interval_says_what_it_is_conditional_on() -> None:
    means, rng = {"disen_mix": 0.6, "without_weak_denoising": 0.5}, np.random.default_rng(0)
    both = judge_one(CLAIMS["C11"], simulate(rng, means, "fidelity", 4, (5, 1, 6), (0.1, 0.1, 0.1)))
    assert both["resampled"] == {"2 subjects": "combinations", "3 subjects": "pictures"}
    seeds = judge_one(CLAIMS["C11"], simulate(rng, means, "fidelity", 1, (1, 3, 6), (0.1, 0.1, 0.1)))
    assert seeds["resampled"] == {"2 subjects": "finetunings"}
    with pytest.raises(ValueError, match="has no interval"):
        judge_one(CLAIMS["C11"], simulate(rng, means, "fidelity", 1, (1, 1, 1), (0.1, 0.1, 0.1)))


def test_ablations_share_training_noise_and_other_methods_do_not() -> None:
    """Of one combination finetunings are drawn: two equal variants never differ where their noise is one, and do where each has its own."""
    values = np.random.default_rng(0).normal(0.5, 0.1, (1, 8, 6))
    shared = {v: as_rows(values, "fidelity", "disen_mix", 1) for v in ("disen_mix", "without_weak_denoising")}
    assert judge_one(CLAIMS["C11"], shared)["ci95"] == [0, 0]
    own = {v: as_rows(values, "fidelity", v, 1) for v in ("disen_mix", *PEERS)}
    low, high = judge_one(CLAIMS["C1"], own)["ci95"]
    assert low < -0.01 and high > low + 0.02


def test_a_claim_asks_for_what_it_needs_and_no_more() -> None:
    table = table_of()
    few = {v: table[v] for v in ("disen_mix", "without_weak_denoising")}
    assert judge_one(CLAIMS["C11"], few)["n"]["finetunings"] == 24
    with pytest.raises(ValueError, match="needs the variant without_visual_embedding"):
        judge_one(CLAIMS["C10"], few)
    pairs = {v: [row for row in rows if row["subjects"] == 2] for v, rows in table.items()}
    with pytest.raises(ValueError, match="needs a combination of 3 subjects"):
        judge_one(CLAIMS["C8"], pairs)


def test_variants_of_other_combinations_or_pictures_are_not_compared() -> None:
    table = table_of()
    elsewhere = [{**row, "combination": f"{row['combination']} elsewhere"} for row in table["svdiff"]]
    for other in (elsewhere, table["svdiff"][:72], table["svdiff"][:-1], table["svdiff"][::-1]):
        with pytest.raises(ValueError, match="same combinations|one combination after the other"):
            judge_claims({**table, "svdiff": other})
    fewer = [row for row in table["svdiff"] if row["training_seed"] == 0]
    assert judge_claims({**table, "svdiff": fewer})["C1"]["n"]["finetunings"] == 12


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
