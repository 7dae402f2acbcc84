"""A study's units and their keys, a cell from pictures to figures, the report, and DVC's declaration of the same work."""

import html
from pathlib import Path

import pytest
import yaml

from tasks.commands.study import cost_table
from tasks.shared import code
from tasks.shared.sections import EncodeSection
from tasks.shared.yaml_files import read_yaml
from tasks.studies.cell import run_cell
from tasks.studies.figures import cell_folder, read_study
from tasks.studies.plan import PLAN, EditionName, ProfileName, plan_study
from tasks.studies.report import read_ranks, write_report
from tasks.studies.running import UNIT, as_text
from tasks.studies.store import STORE
from tasks.studies.units import list_units
from tests.helpers.imports import ROOT, import_closure
from tests.helpers.studies import folders_of, write_study_workspace
from tests.helpers.workspace import change
from vd_core.errors import InputError
from vd_core.studies.cost import Seconds

BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def study(tmp_path: Path, base_folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: one combination, three prompts, one seed, two methods."""
    write_study_workspace(tmp_path, base_folders["sd1"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def keys() -> tuple[set[str], set[str], set[str]]:
    """The keys of the small study's finetunings, clips and scores."""
    units = list_units(plan_study("toybox", "quick"))
    videos = [v for u in units for v in u.videos]
    return {u.finetuning.key for u in units}, {v.key for v in videos}, {v.score for v in videos}


def test_a_key_changes_with_what_decides_the_result_and_with_nothing_else(study: Path) -> None:
    before = keys()
    assert [len(own) for own in before] == [2, 12, 12]
    change("encode", {"fps": 5})
    change("render", {"seeds_tried": 3, "low_vram": True})
    assert keys() == before
    change("render", {"num_inference_steps": 6})
    after = keys()
    assert after[0] == before[0] and not after[1] & before[1] and not after[2] & before[2]
    change("finetune", {"schedule": {"steps": 3}})
    assert not keys()[0] & before[0]


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_a_unit_comes_out_of_its_text_as_it_was(study: Path, profile: ProfileName) -> None:
    units = list_units(plan_study("toybox", profile))[-3:]
    assert [UNIT.validate_json(as_text(unit)) for unit in units] == units


def test_text2video_zeros_clips_do_not_depend_on_animatediffs_settings(study: Path) -> None:
    before = keys()[1]
    change("render", {"animatediff_frames": 3})
    assert len(keys()[1] & before) == 6


def test_code_counts_and_its_comments_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "ROOT", tmp_path)
    for folder in ("tasks", "vd_core"):
        (tmp_path / folder).mkdir()
    (tmp_path / "tasks/a.py").write_text("from tasks.b import x\n")
    (tmp_path / "tasks/b.py").write_text("from vd_core import c\nx = 1\n")
    (tmp_path / "vd_core/c.py").write_text('"""Doc."""\n\n\ndef f():\n    """Doc."""\n    return 1\n')

    def hashed(path: str = "", text: str = "") -> str:
        if path:
            (tmp_path / path).write_text(text)
        for function in (code.hash_code, code.imported, code.dump):
            function.cache_clear()
        return code.hash_code("tasks.a")

    first = hashed()
    assert hashed("vd_core/c.py", '"""Other."""\n\ndef f():  # comment\n    return (1)\n') == first
    assert hashed("tasks/b.py", "from vd_core import c\nx = 2\n") == first
    assert hashed("vd_core/c.py", "def f():\n    return 2\n") != first


def test_of_a_stages_work_the_code_that_stages_share_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "ROOT", tmp_path)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/a.py").write_text("from tasks.b import x\n")
    hashes = set()
    for value in (1, 2):
        (tmp_path / "tasks/b.py").write_text(f"x = {value}\n")
        for function in (code.hash_code, code.imported, code.dump):
            function.cache_clear()
        hashes.add(code.fingerprint_work("tasks.a", EncodeSection(fps=8), []))
    assert len(hashes) == 2


@pytest.mark.slow
def test_a_cell_from_pictures_to_figures_and_the_page(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The second time nothing is computed again; a prompt's angle brackets stay text on the page."""
    edition = read_yaml(study / "benchmarks/multistudio/toybox.yaml")
    assert edition["prompts"]["action"][0] == "are shaking"
    for variant in ("dreambooth", "disen_mix"):
        run_cell("toybox", "quick", variant, "cat3_dog3")
    finished = folders_of(STORE)
    assert len(finished) == 2 + 12 + 12
    run_cell("toybox", "quick", "disen_mix", "cat3_dog3")
    assert folders_of(STORE) == finished
    planned = plan_study("toybox", "quick")
    rows = read_study(planned.name, [("disen_mix", "cat3_dog3")])["disen_mix"]
    assert [(r["generator"], r["prompt"], r["seed"]) for r in rows] == [
        (g, p.text, 0) for g in planned.cells[0].generators for p in planned.prompts
    ]
    assert all(0 <= r["missing_rate"] <= 1 and r["subjects"] == 2 for r in rows)
    bad = cell_folder(planned.name, "disen_mix", "cat3_dog3") / "figures.json"
    bad.write_text(bad.read_text().replace("are shaking", "<script>alert(1)</script>"))
    written = write_report(planned)
    page = Path(written["page"]).read_text()
    assert page.count("data:image/webp") == 2 * 3 * (2 + 2) + 2 * 2  # two subjects and two methods a row; the changed prompt is one more
    assert "<script>alert" not in page and html.escape("<script>alert(1)</script>") in page
    assert "http://" not in page and "https://" not in page and 'src="//' not in page
    assert "| VideoDreamer+AD |" in Path(written["tables"]).read_text()


def test_a_report_without_figures_says_what_to_run(study: Path) -> None:
    with pytest.raises(InputError, match="figures.json is missing; run the study"):
        write_report(plan_study("toybox", "quick"))
    with pytest.raises(InputError, match="runs no svdiff on cat3_dog3"):
        run_cell("toybox", "quick", "svdiff", "cat3_dog3")
    (study / "ranks.json").write_text('{"mean_rank": {"svdiff": {"value": "<b>"}}}')
    with pytest.raises(InputError, match="is no result of 'rank collect'"):
        read_ranks(study / "ranks.json")


@pytest.mark.parametrize("edition", ["toybox", "real"])
def test_the_profiles_are_as_the_issue_counts_them(edition: EditionName) -> None:
    quick, full = (plan_study(edition, profile) for profile in ("quick", "full"))
    assert (len(quick.combinations), len(quick.prompts), len(quick.seeds)) == (5, 6, 2)
    assert (len(full.combinations), len(full.prompts), len(full.seeds)) == (15, 30, 4)
    methods = {c.name for c in quick.cells}
    assert methods == {"dreambooth", "custom_diffusion", "svdiff", "disen_mix"} and {len(c.generators) for c in quick.cells} == {2}
    assert sum(len(c.generators) for c in full.cells if c.name in methods) * 30 * 4 == 1800 * 4 * 2
    ablations = [c for c in full.cells if c.name.startswith("without")]
    assert len(ablations) == 12 and all(len(c.subjects) == 2 for c in ablations)
    assert [len(c.subjects) for c in full.cells if c.variant.hlr] == [3, 3, 3]


def test_a_plan_with_an_unknown_variant_is_refused_in_one_line(study: Path) -> None:
    PLAN.write_text(PLAN.read_text().replace("- dreambooth\n", "- dreamboth\n", 1))
    with pytest.raises(InputError, match="names dreamboth, which is none of the variants"):
        plan_study("toybox", "quick")


@pytest.mark.parametrize(("stage", "module"), [("study", "tasks/studies/cell.py"), ("report", "tasks/commands/study.py")])
def test_dvcs_code_deps_are_what_is_imported(stage: str, module: str) -> None:
    about = yaml.safe_load((BENCHMARKS / "dvc.yaml").read_text())["stages"][stage]
    deps = [d for d in about["deps"] if d.startswith(("tasks/", "vd_core"))]
    closure = import_closure(Path(module))
    assert not [m for m in closure if not any(m == d or m.startswith(d + "/") for d in deps)]
    assert not [d for d in deps if not any(m == d or m.startswith(d + "/") for m in closure)]
    assert all((ROOT / d).exists() for d in about["deps"] if not d.startswith("runs/"))


def test_the_table_of_costs() -> None:
    assert cost_table(Seconds(600, 20, 40, 2)).splitlines()[2] == "| 1 | 148.0 | 148 |"


@pytest.mark.slow
def test_a_cell_of_pictures_has_figures_of_single_frames(study: Path) -> None:
    """Three prompts and two bare ones; a picture is a clip of one frame, and nothing that needs two is measured of it."""
    plan = read_yaml(PLAN)
    plan["profiles"]["quick"] |= {"generators": ["pictures"], "bare": 2, "variants": ["disen_mix"]}
    PLAN.write_text(yaml.safe_dump(plan, sort_keys=False))
    run_cell("toybox", "quick", "disen_mix", "cat3_dog3")
    rows = read_study("toybox-quick", [("disen_mix", "cat3_dog3")])["disen_mix"]
    assert [(r["kind"], r["seed"]) for r in rows] == [("action", 0), ("background", 0), ("both", 0), ("bare", 0), ("bare", 1)]
    assert all("stitch_score" in r and "temporal_consistency" not in r and r["generator"] == "pictures" for r in rows)
    clips = sorted((cell_folder("toybox-quick", "disen_mix", "cat3_dog3") / "clips" / "pictures").glob("*/*"))
    assert [c.name for c in clips] == ["000.png"] * 4
