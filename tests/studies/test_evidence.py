"""What the evidence rests on: the reading of a picture, the plan of its studies and its tables."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tasks.commands.evidence import FIGURES, SHOWN, count_fixed, join, read_rows, save_sheet, summarise_pictures, write_document
from tasks.studies.figures import cell_folder
from tasks.studies.plan import Study, load_plan, plan_study
from tasks.studies.rows import rows_path, write_rows
from tests.helpers.tables import METHODS, table_of
from vd_core.errors import InputError
from vd_core.inputs.pictures import LABEL
from vd_core.metrics.fidelity import refer_to
from vd_core.metrics.report import judge_clip, to_unit
from vd_core.studies.claims import CLAIMS
from vd_core.studies.toy_clips import read_toys
from vd_core.studies.toys import Jury, Toys, load_jury
from vd_core.studies.verdicts import judge_claims, text_by_background
from vd_core.toybox.world.draw import draw_scene
from vd_core.toybox.world.scenes import Scene, Toy

ROOT = Path(__file__).parents[2]
DOG, CAR = ("red", "teal", "checkered"), ("white", "green", "plain")


@pytest.fixture(scope="module")
def jury() -> Jury:
    return load_jury(ROOT / "models/toybox")


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Study:
    """The evidence's study of pictures."""
    monkeypatch.chdir(ROOT)
    return plan_study("toybox", "pictures")


def picture_of(toys: Toys, background: str = "snow") -> Image.Image:
    placed = [
        Toy(kind, *identity, x=(i + 0.5) / len(toys), size=0.5 if len(toys) > 1 else 0.6) for i, (kind, identity) in enumerate(toys.items())
    ]
    return Image.fromarray(draw_scene(Scene(tuple(placed), background, 3))[0])


def read(jury: Jury, drawn: Toys) -> dict:
    """What is read of a picture of `drawn` when a dog and a car were asked for."""
    known = [refer_to(jury.judges, k, to_unit([picture_of({k: i}, "city")])) for k, i in (("dog", DOG), ("car", CAR))]
    prompt, picture = "a dog, a car are jumping in the snow", picture_of(drawn)
    return {**judge_clip(jury.judges, [picture], known, prompt, None), **read_toys(jury, [picture], {"dog": DOG, "car": CAR}, prompt)}


def test_a_picture_is_read_as_it_was_drawn(jury: Jury) -> None:
    right = read(jury, {"dog": DOG, "car": CAR})
    assert (right["absent"], right["binding"], right["blend"], right["missing_rate"]) == (0, 1, 0, 0)
    exchanged = read(jury, {"dog": CAR, "car": DOG})
    assert (exchanged["absent"], exchanged["binding"], exchanged["blend"]) == (0, 0, 1)
    alone = read(jury, {"dog": DOG})
    assert (alone["absent"], alone["binding"], alone["blend"], alone["missing_rate"]) == (0.5, 0.5, 0, 0.5)
    assert right["subject_fidelity"] > max(exchanged["subject_fidelity"], alone["subject_fidelity"])
    assert right["text_fidelity"] > alone["text_fidelity"]


def test_a_picture_has_no_figures_over_time(jury: Jury) -> None:
    found = read(jury, {"dog": DOG, "car": CAR})
    assert found["action_binding"] is None and not {"temporal_consistency", "motion_smoothness", "motion_amplitude"} & found.keys()
    assert set(FIGURES) <= found.keys()


def test_the_plan_has_every_method_on_every_combination(plan: Study) -> None:
    """15 combinations, two finetunings of the methods; the paper's ablations on all pairs, HLR on the triples; bare prompts from seeds of their own."""
    counts = Counter(c.name for c in plan.cells)
    assert {v for v, n in counts.items() if n == 15} == {"dreambooth", "custom_diffusion", "svdiff", "disen_mix", "without_either"}
    assert {v for v, n in counts.items() if n == 3} == {"disen_mix_hlr", "without_either_hlr"}
    ablations = {"without_weak_denoising", "without_stitch_prompt", "without_visual_embedding"}
    assert {v for v, n in counts.items() if n == 12} == ablations | {"larger_weak_denoising", "full_weak_denoising"}
    variants = {c.name: c.variant for c in plan.cells}
    assert all(c.generators == ("pictures",) for c in plan.cells) and plan.training_seeds == (0, 1)
    assert {v for v, own in variants.items() if own.training_seeds is None} == {"dreambooth", "custom_diffusion", "svdiff", "disen_mix"}
    kinds = {p.kind: [q for q in plan.prompts if q.kind == p.kind] for p in plan.prompts}
    assert {k: len(own) for k, own in kinds.items()} == {"action": 6, "background": 8, "both": 16, "bare": 1}
    assert plan.seeds_of(kinds["bare"][0]) == tuple(range(12)) and plan.seeds_of(kinds["both"][0]) == (0,)
    needed = {v for claim in CLAIMS.values() if claim.view.generator == "pictures" for side in claim.sides for v in side.variants}
    assert needed <= variants.keys()


def test_half_of_the_subjects_stand_before_one_background_in_all_given_pictures(plan: Study) -> None:
    subjects = {s: about for c in plan.cells for s, (_, about) in c.subjects.items()}
    assert sum(about.background is not None for about in subjects.values()) == 13 and len(subjects) == 25


def test_clips_show_what_pictures_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    study = plan_study("toybox", "clips")
    needed = {v for claim in CLAIMS.values() if claim.view.generator != "pictures" for side in claim.sides for v in side.variants}
    assert needed == {c.name for c in study.cells} and len(study.prompts) == 6 and len(study.combinations) == 15


def test_a_report_becomes_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_of(**{v: {"stitch_score": 0, "subject_fidelity": 0.7 if v == "disen_mix" else 0.5} for v in METHODS})
    table = {v: [{**dict.fromkeys(FIGURES, 0.5), **row} for row in rows] for v, rows in table.items()}
    pictures, clips = (
        {v: [r for r in rows if (r["generator"] == "pictures") == kind] for v, rows in table.items()} for kind in (True, False)
    )
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    Path("docs/evidence.md").write_text(
        "".join(f"<!-- {marker} -->\n<!-- /{marker} -->\n" for marker in ("table", "claims", "paper", "backgrounds"))
    )
    fixed = {f"c{i}": i % 3 for i in range(8)}
    texts = text_by_background(join(pictures, clips), fixed)
    write_document(
        {"claims": judge_claims(join(pictures, clips)), "variants": summarise_pictures(pictures), "text_by_background": texts}, clips
    )
    lines = {line.split(" | ")[0]: line.split(" | ") for line in Path("docs/evidence.md").read_text().splitlines()}
    assert lines["| C1"][2] == "**reproduced**" and lines["| C1"][-1] == "12, 24, 144 |"
    assert lines["| C8"][2:4] == ["**cannot show here**", "+0.000: both sides within 0.312 of the same end"]
    assert all(lines[f"| {c}"][2].startswith("**not separable below") for c in ("C4", "C5"))
    assert len({len(line) for name, line in lines.items() if name.startswith("| C") and name[3:4].isdigit()}) == 1
    first = next(line for line in Path("docs/evidence.md").read_text().splitlines() if line.startswith("| VideoDreamer+AD"))
    assert float(first.split(" | ")[1]) == pytest.approx(0.7, abs=0.01)


def test_text_is_told_apart_by_the_given_backgrounds(plan: Study) -> None:
    fixed = count_fixed(plan)
    assert len(fixed) == 12 and fixed["cat3_dog3"] == 1 and fixed["robot2_bird1"] == 2 and fixed["cat1_robot1"] == 0
    row = {"generator": "animatediff", "kind": "both"}
    rows = [{**row, "combination": c, "text_fidelity": n / 10} for c, n in fixed.items()] + [
        {**row, "combination": "a_b_c", "text_fidelity": 9.0}
    ]
    bare = {**row, "kind": "bare", "combination": "cat1_robot1", "text_fidelity": 9.0}
    assert text_by_background({m: [*rows, bare] for m in METHODS}, fixed)["animatediff"]["disen_mix"] == [0.0, 0.1, 0.2]


def test_the_sheet_has_the_given_subjects_and_a_row_a_variant_under_its_name(
    plan: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    for cell in plan.cells:
        given = cell_folder(plan.name, cell.name, cell.combination) / "given"
        given.mkdir(parents=True)
        for name in cell.subjects:
            Image.new("RGB", (64, 64), "red").save(given / f"{name}.png")
        for i in range(4):
            folder = cell_folder(plan.name, cell.name, cell.combination) / "clips" / "pictures" / f"{i:02d}"
            folder.mkdir(parents=True)
            Image.new("RGB", (64, 64)).save(folder / "000.png")
    save_sheet(plan)
    sheet, rows = Image.open("docs/evidence.png").convert("RGB"), 1 + len({c.name for c in plan.cells})
    assert sheet.size == (2 * SHOWN * 2 * (64 + 4) + 4, rows * (LABEL + 64 + 8))
    assert [sheet.getpixel((40 + n * (64 + 4), LABEL + 40)) for n in (0, 1)] == [(255, 0, 0)] * 2


def test_claims_are_judged_from_kept_rows_where_the_study_has_not_run(plan: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"toybox-pictures.csv is missing"):
        read_rows(plan)
    rows = {"svdiff": [{"combination": "cat3_dog3", "binding": 0.5}]}
    write_rows(rows, rows_path(plan.name))
    assert read_rows(plan) == rows
    save_sheet(plan)
    assert not Path("docs").exists()  # there is nothing to show
    for cell in plan.cells:
        folder = cell_folder(plan.name, cell.name, cell.combination)
        folder.mkdir(parents=True)
        (folder / "figures.json").write_text(json.dumps([{"combination": cell.combination, "binding": 1.0}]))
    assert read_rows(plan)["svdiff"][0]["binding"] == 1.0


def test_bare_prompts_are_no_part_of_other_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for profile in ("quick", "full", "clips", "tuning", "sample"):
        assert "bare" not in {p.kind for p in plan_study("toybox", profile).prompts}
    study = plan_study("toybox", "full")
    assert {c.combination for c in study.cells if c.name == "without_stitch_prompt"} == set(load_plan().editions["toybox"].ablated)
    assert replace(study, bare=3).seeds_of(study.prompts[0]) == (0, 1, 2, 3)
