"""The study of what goes beyond the paper: its measures on drawings whose answer is known, its arms on a small base, its report."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tasks.commands.beyond import PLAN, keep_rows
from tasks.commands.beyond_picture import BETWEEN, COUNT, TILE, save_picture
from tasks.commands.beyond_report import GOALS, build_report, collect, describe, write_report
from tasks.shared.params import Hlr
from tasks.studies.beyond import ALONE, ARMS_OF_PAIRS, OF_PAIRS, PLACED, settings_of
from tests.helpers.imports import ROOT
from tests.helpers.training import make_settings
from vd_core.customisation.weights import LORA_FILE
from vd_core.inputs.pictures import contact_sheet
from vd_core.metrics.find_subject import shows_with
from vd_core.settings import Sampling
from vd_core.studies.beyond import ARMS, draw_truth, finetune, load_plan, pass_through, read_crowd, run_crowd
from vd_core.studies.beyond_attributes import choose_wearers, read_drawn_attributes, read_wearers, run_attributes
from vd_core.studies.beyond_clips import in_order, run_actions, run_long, run_zero_motion, steadiness
from vd_core.studies.beyond_drawn import read_drawn_actions, read_drawn_events
from vd_core.studies.beyond_picks import refinetune
from vd_core.studies.toys import Jury, load_jury
from vd_core.toybox.world.draw import draw_scene
from vd_core.toybox.world.scenes import HELD_OUT, Scene, Toy

TOYS = {"cat": ("red", "pink", "striped"), "robot": ("orange", "yellow", "plain"), "bear": ("green", "orange", "spotted")}


@pytest.fixture(scope="module")
def jury() -> Jury:
    return load_jury(ROOT / "models/toybox")


def test_every_toy_of_the_plan_is_held_out_and_no_crowd_has_a_color_twice() -> None:
    plan = load_plan(ROOT / PLAN)
    for toys in (*plan.crowds.values(), *plan.pairs.values()):
        assert set(toys.values()) <= set(HELD_OUT)
        assert len({looks[0] for looks in toys.values()}) == len(toys)


def test_toys_in_their_own_colors_are_bound_and_in_each_others_not(jury: Jury) -> None:
    pictures = draw_truth(TOYS, 8)
    right = read_crowd(jury, pictures, TOYS)
    exchanged = read_crowd(jury, pictures, dict(zip(TOYS, [*list(TOYS.values())[1:], TOYS["cat"]], strict=True)))
    assert np.mean([r["bound"] for r in right]) >= 0.75 and np.mean([r["binding"] for r in right]) >= 0.9
    assert np.mean([r["fidelity"] for r in right]) > 0.7 > 0.4 > np.mean([r["fidelity"] for r in exchanged])
    assert sum(r["bound"] for r in exchanged) == 0 and [r["present"] for r in exchanged] == [r["present"] for r in right]


def test_small_toys_lose_most_in_the_autoencoder(jury: Jury) -> None:
    """What a picture of four can reach at all, and what is put back of held subjects is for."""
    four = load_plan(ROOT / PLAN).crowds["four-2"]
    drawn = draw_truth(four, 8)
    shown = pass_through(ROOT / "models/toybox", drawn)
    assert [p.size for p in shown] == [p.size for p in drawn]
    bound = [np.mean([r["bound"] for r in read_crowd(jury, own, four)]) for own in (drawn, shown)]
    assert bound[0] > 0.85 > 0.65 > bound[1]


def test_a_missing_toy_is_not_present(jury: Jury) -> None:
    pictures = draw_truth({k: TOYS[k] for k in ("cat", "robot")}, 4)
    assert sum(r["present"] + r["bound"] for r in read_crowd(jury, pictures, TOYS)) == 0


def test_the_order_of_events_is_read_from_both_halves(jury: Jury) -> None:
    def frame(place: str) -> torch.Tensor:
        drawn, _ = draw_scene(Scene((Toy("cat", "red", "pink", "plain", x=0.5, ground=0.85, size=0.4),), place, seed=4))
        return torch.from_numpy(drawn).permute(2, 0, 1) / 255

    clip = torch.stack([frame("forest")] * 8 + [frame("beach")] * 8)
    assert in_order(jury, clip, "in the forest", "on the beach")
    assert not in_order(jury, clip.flip(0), "in the forest", "on the beach")
    assert not in_order(jury, torch.stack([frame("forest")] * 16), "in the forest", "on the beach")


def test_a_picture_shows_what_is_said_of_its_toy_alone(jury: Jury) -> None:
    """As the base's CLIP has it: of scarves it is sure."""
    shows, gains = shows_with(jury.judges), []
    for kind in ("cat", "robot", "bear", "dog"):
        toy = Toy(kind, "green", "white", "spotted", x=0.5, ground=0.88, size=0.55)
        worn, none = (draw_scene(Scene((replace(toy, accessory=a),), "beach", seed=4))[0] for a in ("scarf", None))
        said = (f"a {kind} with a scarf on the beach", f"a {kind} on the beach")
        gains.append(shows(worn, said) - shows(none, said))
    assert min(gains) > 0


def test_the_consistency_of_events_is_that_within_each(jury: Jury) -> None:
    def clip(places: list[str]) -> torch.Tensor:
        toy = Toy("cat", "red", "pink", "plain", x=0.5, ground=0.85, size=0.4)
        return torch.stack([torch.from_numpy(draw_scene(Scene((toy,), p, seed=4))[0]).permute(2, 0, 1) / 255 for p in places])

    turns, mixed = clip(["forest"] * 8 + ["beach"] * 8), clip(["forest", "beach"] * 8)
    assert steadiness(jury, turns) == pytest.approx(1, abs=1e-4)
    assert steadiness(jury, mixed) < 0.95


def test_the_ceilings_of_drawings_are_high_and_of_others_attributes_low(jury: Jury) -> None:
    plan = replace(load_plan(ROOT / PLAN), pictures=12, clips=1)
    toys = plan.pairs["pair-1"]
    assert np.mean([r["own_attribute"] for r in read_drawn_attributes(jury, toys, plan)]) > 0.75
    assert np.mean([r["own_action"] for r in read_drawn_actions(jury, toys, plan)]) > 0.8
    assert [r["event_order"] for r in read_drawn_events(jury, toys, plan)] == [1.0, 1.0]
    pictures, wearers = draw_truth({k: toys[k] for k in toys}, 12), choose_wearers(toys, 12)
    assert len(set(wearers)) == 6
    assert sum(r["own_attribute"] for r in read_wearers(jury, pictures, toys, wearers)) == 0  # nobody wears anything


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_arms_draw_from_the_same_noise_and_differ(base_folders: dict[str, Path], kind: str, jury: Jury, tmp_path: Path) -> None:
    plan = load_plan(ROOT / PLAN)
    small = replace(plan, pictures=2)
    finetune(base_folders[kind], jury, TOYS, make_settings(schedule={"steps": 1}), 2, 0, tmp_path / "weights")
    assert (tmp_path / "weights" / LORA_FILE).is_file()
    sheets = {}
    for name in ("plain", "regions in sampling", ALONE, "plain again"):
        sheet = tmp_path / f"{name}.jpg"
        rows = run_crowd(
            base_folders[kind], jury, TOYS, small, ARMS[name.removesuffix(" again")], Sampling(4, 4.0), tmp_path / "weights", sheet
        )
        assert len(rows) == 2 and set(rows[0]) == {"bound", "present", "binding", "fidelity"}
        sheets[name] = sheet.read_bytes()
    few = replace(small, candidates=2, picks=1)
    (tmp_path / "again").mkdir()
    refinetune(
        base_folders[kind],
        jury,
        TOYS,
        make_settings(schedule={"steps": 1}),
        few,
        Sampling(4, 4.0),
        tmp_path / "weights",
        tmp_path / "again",
    )
    assert (tmp_path / "again" / LORA_FILE).read_bytes() != (tmp_path / "weights" / LORA_FILE).read_bytes()
    assert sheets["plain"] == sheets["plain again"]
    assert len({sheets[name] for name in ("plain", "regions in sampling", ALONE)}) == 3


def test_the_report_names_the_best_arm_and_plain() -> None:
    plan = load_plan(ROOT / PLAN)
    crowd = {
        arm: [{"bound": v, "present": 1.0, "binding": v, "fidelity": v}] * 4
        for arm, v in zip(ARMS, (0.25, 0.5, 0.5, 0.75, 1.0, 0.5), strict=True)
    }
    values = {"plain": 0.0, PLACED: 0.75, ALONE: 0.9}
    pair = {
        kind: {arm: [{kind: v, "steadier": -v} if kind == "event_order" else {kind: v}] * 2 for arm, v in values.items()}
        for kind in OF_PAIRS
    }
    found = {name: {"crowd": crowd} for name in plan.crowds} | dict.fromkeys(plan.pairs, pair)
    report = build_report(collect(found, plan))
    assert set(GOALS) <= set(report)
    four = report["four_bound"]
    assert (four["value"], four["plain"]["value"], four["goal"], four["n"], four["samples"]) == (1.0, 0.25, 0.5, 3, 12)
    assert report["own_action"]["value"] == 0.9 and report["own_action"]["plain"]["value"] == 0.0
    assert report["event_order"]["value"] == 0.9 and report["event_steadier"]["value"] == -0.9 and report["long_drift"]["value"] == 0.75


def test_a_figure_without_plain_videodreamer_is_not_reported() -> None:
    assert build_report({"six_fidelity": {"the world's drawings": [[0.9]]}}) == {}


def test_one_arm_measured_anew_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("metrics/studies").mkdir(parents=True)
    first = {"pair-1": {"own_action": {"plain": [{"own_action": 0.0}], "known colors, not finetuned": [{"own_action": 0.5}]}}}
    assert keep_rows(first) == first
    later = keep_rows({"pair-1": {"own_action": {ALONE: [{"own_action": 1.0}]}}})
    assert later == {"pair-1": {"own_action": {**first["pair-1"]["own_action"], ALONE: [{"own_action": 1.0}]}}}


def test_one_part_measured_anew_leaves_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("docs", "metrics"):
        Path(folder).mkdir()
    Path("docs/regions.md").write_text("".join(f"<!-- {marker} -->\n<!-- /{marker} -->\n" for marker in ("crowds", "beyond")))
    Path("README.md").write_text("<!-- beyond -->\n<!-- /beyond -->\n")
    write_report({"zero_motion": {"plain": [[0.0]], PLACED: [[0.5]]}})
    write_report({"own_action": {"plain": [[0.25]], PLACED: [[0.5]], ALONE: [[0.75]]}})
    write_report({"zero_motion": {"plain": [[0.0]], PLACED: [[1.0]]}})
    report = json.loads(Path("metrics/beyond.json").read_text())
    assert {name: own["value"] for name, own in report.items()} == {"zero_motion": 1.0, "own_action": 0.75}
    rows = [line.split(" | ")[:4] for line in Path("docs/regions.md").read_text().splitlines() if line.startswith("| `")]
    assert rows == [
        ["| `own_action`", "0.25 (0.25 to 0.25)", "0.50 (0.50 to 0.50)", "0.75 (0.75 to 0.75)"],
        ["| `zero_motion`", "0.00 (0.00 to 0.00)", "1.00 (1.00 to 1.00)", ""],
    ]


def test_intervals_are_over_combinations() -> None:
    """Twenty-four pictures of one finetuning are no twenty-four answers."""
    wide, narrow = describe([[0.0] * 24, [1.0] * 24]), describe([[0.0, 1.0] * 12, [1.0, 0.0] * 12])
    assert wide["ci95"] == [0.0, 1.0] and narrow["ci95"] == [0.5, 0.5]


@pytest.mark.parametrize(("trained", "regions"), [("strips", False), ("cutouts", False), ("regions", True)])
def test_only_one_arm_trains_through_regions(trained: str, regions: bool) -> None:
    class Merged:
        finetune, hlr = make_settings(), Hlr(candidates=1, related_prompts=(), min_picks=1, steps=7)

    assert settings_of(Merged, trained).disen_mix.regions == regions
    assert settings_of(Merged, "picks").schedule.steps == 7


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_clips_of_pairs_have_a_row_each(base_folders: dict[str, Path], kind: str, jury: Jury, tmp_path: Path) -> None:
    plan = replace(load_plan(ROOT / PLAN), clips=1, pictures=2)
    toys = plan.pairs["pair-1"]
    finetune(base_folders[kind], jury, toys, make_settings(schedule={"steps": 1}), 2, 0, tmp_path)
    counts = {
        "own_action": (run_actions, 3),
        "own_attribute": (run_attributes, 2),
        "long_drift": (run_long, 1),
        "zero_motion": (run_zero_motion, 4),
    }
    for figure, (run, count) in counts.items():
        for arm in ARMS_OF_PAIRS.values():
            rows = run(base_folders[kind], jury, toys, plan, arm, Sampling(4, 3.0), tmp_path, tmp_path / "sheet.jpg")
            assert len(rows) == count and all(np.isfinite(row[figure]) for row in rows)


def test_the_picture_shows_the_first_of_each_arm(tmp_path: Path) -> None:
    sheets = []
    for colors in (["red", "green", "blue", "white", "black"], ["black", "white", "blue", "green", "red"]):
        sheets.append(tmp_path / f"{colors[0]}.png")
        contact_sheet([[Image.new("RGB", (64, 64), c) for c in colors]]).save(sheets[-1])
    save_picture([TOYS], sheets[:1], sheets[1:], tmp_path / "alone.png")
    shown = Image.open(tmp_path / "alone.png").convert("RGB")
    wide = [len(own) * (TILE + 4) + 4 for own in (TOYS, range(COUNT), range(COUNT))]
    assert shown.size == (sum(wide) + 2 * BETWEEN, TILE + 8)
    plain, alone = wide[0] + BETWEEN + TILE // 2, sum(wide[:2]) + 2 * BETWEEN + TILE // 2
    assert [shown.getpixel((left + n * (TILE + 4), TILE // 2)) for left in (plain, alone) for n in (0, 3)] == [
        (255, 0, 0),
        (255, 255, 255),
        (0, 0, 0),
        (0, 128, 0),
    ]
