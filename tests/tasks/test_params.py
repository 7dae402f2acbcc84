"""params.yaml and presets: what is refused, in one line; what a combination's settings are; what each stage reads of them."""

from pathlib import Path

import pytest
import yaml

from tasks.settings import build_sections, settings
from tasks.shared.merging import load_params, merge
from tasks.shared.params import PRESETS, Params
from tasks.shared.sampling_round import raise_sampling_round
from tasks.shared.sections import FinetuneSection, read_section
from tasks.shared.yaml_files import overlay, read_yaml
from tests.helpers.params import plain_params, write_plain_params
from tests.helpers.workspace import change, change_combination, run_stages
from vd_core.errors import InputError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed: 0", "seed: 0\ncolour: red", r"params\.yaml: colour is not a known key"),
        ("seed: 0", "seed: 0\nseed: 1", r"params\.yaml: found duplicate key .seed.*; keep one"),
        ("  toys:", "  on:", r"toys"),
        ("  toys:", "  1e3:", r"combinations: '1000\.0' is read as a float by YAML; quote it$"),
        ("  toys:", "  To-ys:", r"'To-ys' is not a name of lower-case letters"),
        ("subjects: [dog, car]", "subjects: [../dog, car]", r"combinations\.toys\.subjects: '\.\./dog' is not a name"),
        ("subjects: [dog, car]", "subjects: [dog, dog]", r"names a subject twice"),
        ("base: toybox", "base: [toybox", r"not readable YAML"),
        ("base: toybox", "base: sd99", r"base 'sd99' is unknown; choose one of sd15, sd21, toybox"),
        ("    sampling_round: 0", "    sampling_round: 0\n    finetun: {}", r"finetun is not a known key; did you mean finetune\?"),
        (
            "    sampling_round: 0",
            "    sampling_round: 0\n    finetune: {schedule: {stepz: 1}}",
            r"stepz is not a known key; did you mean steps\?",
        ),
        (
            "    sampling_round: 0",
            "    sampling_round: 0\n    finetune: {lora: {rank: 0}}",
            r"finetune\.lora\.rank: input should be greater",
        ),
        (
            "finetune_from: toys",
            "finetune_from: pets",
            r"^params\.yaml: combinations\.toys\.finetune_from: 'pets' is no combination; write toys for",
        ),
        (
            "    sampling_round: 0",
            "    sampling_round: 0\n    judges: {identity: {path: a, revision: null, sha265: null}}",
            r"combinations\.toys, or presets/toybox\.yaml: judges\.identity\.sha265 is not a known key; did you mean sha256\?$",
        ),
        (
            "    sampling_round: 0",
            "    sampling_round: 0\n    judges: {identity: {path: a, revision: main, sha256: 12ab}}",
            r"judges\.identity\.sha256: string should match pattern '\^\[0-9a-f\]\{64\}\$' \(it is '12ab'\); correct it$",
        ),
        ("    sampling_round: 0", "    sampling_round: 0\n    method: magic", r"method: input should be 'disen_mix'"),
        ("    sampling_round: 0", "    sampling_round: 0\n    hlr: {candidates: 1}", r"hlr\.candidates must be at least hlr\.min_picks"),
        ("    sampling_round: 0", "    sampling_round: 0\n    render: {t_warp: 45}", r"t_warp < render\.t_forward"),
        (
            "    sampling_round: 0",
            "    sampling_round: 0\n    finetune: {disen_mix: {regions: true}}",
            r"needs pictures of cut-outs, and mix\.cutouts is 0",
        ),
        (
            "    sampling_round: 0",
            "    sampling_round: 0\n    method: svdiff\n    mix: {cutouts: 4}",
            r"mix\.cutouts is for method: disen_mix alone",
        ),
    ],
)
def test_wrong_settings_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, message: str) -> None:
    write_plain_params(tmp_path)
    text = (tmp_path / "params.yaml").read_text()
    assert old in text
    (tmp_path / "presets").symlink_to(ROOT / PRESETS)
    (tmp_path / "params.yaml").write_text(text.replace(old, new, 1))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message) as caught:
        merge(load_params(), "toys")
    assert "\n" not in str(caught.value)


def test_no_is_a_word(tmp_path: Path) -> None:
    """YAML 1.1 reads it as false."""
    (tmp_path / "subject.yaml").write_text("class_noun: no")
    assert read_yaml(tmp_path / "subject.yaml") == {"class_noun": "no"}


@pytest.mark.parametrize("base", ["toybox", "sd15", "sd21"])
@pytest.mark.parametrize("count", [2, 3])
def test_every_preset_is_complete(base: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = plain_params()
    subjects = ["dog", "car", "cat"][:count]
    params = overlay(params, {"combinations": {"toys": {"base": base, "subjects": subjects}}})
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    (tmp_path / "presets").symlink_to(ROOT / PRESETS)
    monkeypatch.chdir(tmp_path)
    merged = merge(load_params(), "toys")
    rates = {"toybox": (2e-3, 2e-3), "sd15": (5e-5, 1e-4), "sd21": (5e-5, 1e-4)}
    assert merged.finetune.schedule.learning_rate == rates[base][count - 2]
    assert len(merged.placeholder_tokens) == len(set(merged.placeholder_tokens)) == 8


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_a_combination_overrides_single_keys_of_its_own_base(workspace: Path, kind: str) -> None:
    """The other combination on the other base stays as it is."""
    other = overlay(read_yaml(Path("presets/toybox.yaml")), {"finetune": {"schedule": {"steps": 77}}})
    Path("presets/other.yaml").write_text(yaml.safe_dump(other))
    toys = read_yaml(Path("params.yaml"))["combinations"]["toys"]
    change_combination(toys | {"finetune_from": "pets", "base": "other", "render": {"seeds_tried": 2}}, name="pets")
    merged = {name: merge(load_params(), name) for name in ("toys", "pets")}
    assert [m.finetune.schedule.steps for m in merged.values()] == [3, 77]
    assert [m.render.seeds_tried for m in merged.values()] == [1, 2]
    before = build_sections(merged["toys"])
    change_combination({"finetune": {"schedule": {"steps": 5}}}, name="pets")
    Path("presets/other.yaml").write_text(yaml.safe_dump(overlay(other, {"sampling": {"guidance_scale": 9.0}})))
    assert build_sections(merge(load_params(), "toys")) == before


def build_again(**changes: object) -> Params:
    """The demo's combination, with settings of its own, and one that takes its finetuned subjects."""
    params = plain_params()
    toys = params["combinations"]["toys"] | {"finetune": {"schedule": {"steps": 7}}, "encode": {"fps": 5}}
    again = params["combinations"]["toys"] | {"prompts": ["in the city"], "motion_prompt": None} | changes
    return Params.model_validate(params | {"combinations": {"toys": toys, "again": again}})


def test_a_combination_that_takes_finetuned_subjects_takes_their_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no others."""
    monkeypatch.chdir(ROOT)
    toys, again = merge(build_again(), "toys"), merge(build_again(), "again")
    assert (again.finetune, again.prompts, again.motion_prompt) == (toys.finetune, ("in the city",), None)
    assert again.finetune.schedule.steps == 7 and (toys.encode.fps, again.encode.fps) == (5, 8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"finetune": {"schedule": {"steps": 9}}}, "combinations.again: finetune is that of toys"),
        ({"subjects": ["dog"]}, "combinations.again: base and subjects must be those of toys"),
        ({"base": "sd15"}, "combinations.again: base and subjects must be those of toys"),
    ],
)
def test_what_belongs_to_the_finetuned_subjects_is_not_changed_beside_them(
    monkeypatch: pytest.MonkeyPatch, changes: dict, message: str
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(InputError, match=message):
        merge(build_again(**changes), "again")


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_a_changed_key_changes_only_the_sections_that_read_it(workspace: Path, kind: str) -> None:
    def changed(section: str, values: dict) -> set[str]:
        before = build_sections(merge(load_params(), "toys")).model_dump()
        change(section, values)
        after = build_sections(merge(load_params(), "toys")).model_dump()
        return {k for k in before if before[k] != after[k]}

    assert changed("encode", {"fps": 5}) == {"encode", "export"}
    assert changed("render", {"seeds_tried": 3}) == {"render", "export"}
    assert changed("motion", {"copies": 0}) == {"motion", "export"}
    assert changed("motion", {"swap": False}) == {"swap"}
    with pytest.raises(
        InputError, match=r"motion.swap: false keeps the reference's image modules, which learn with motion.copies: 0 alone"
    ):
        changed("motion", {"copies": 5})
    change("motion", {"swap": True})
    assert changed("motion", {"frames": 3}) == {"mix"}
    assert changed("hlr", {"steps": 9}) == {"refinetune", "export"}
    assert changed("hlr", {"min_picks": 1}) == {"refinetune"}
    assert changed("hlr", {"candidates": 5}) == {"sample"}
    assert changed("mix", {"count": 6}) == {"mix"}
    assert changed("motion", {"schedule": {"steps": 4}}) == {"motion", "export"}


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_replaced_weights_are_other_settings(workspace: Path, kind: str, base_folders: dict[str, Path], tmp_path: Path) -> None:
    """A base's folder is named by its path; what lies in it counts too."""
    import shutil

    shutil.copytree(base_folders["sd1"], "base/copy")
    change("source", {"pipeline": {"path": "base/copy"}})
    before = build_sections(merge(load_params(), "toys"))
    unet = next(Path("base/copy/unet").glob("*.safetensors"))
    unet.write_bytes(unet.read_bytes()[:-4] + b"\1\2\3\4")
    after = build_sections(merge(load_params(), "toys"))
    assert before.finetune.models != after.finetune.models and before.render.models != after.render.models
    assert before.mix == after.mix and before.evaluate == after.evaluate


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_more_frames_than_the_motion_modules_hold_are_refused_at_the_start(workspace: Path, kind: str) -> None:
    change("render", {"animatediff_frames": 48})  # windows of 16
    settings("toys")
    change("motion", {"frames": 48})
    with pytest.raises(InputError, match="motion.frames is 48; the motion modules of toybox hold at most 16"):
        settings("toys")
    change("motion", {"finetune": False})  # they are not finetuned
    settings("toys")


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_a_base_without_motion_modules_follows_a_clip(workspace: Path, kind: str) -> None:
    """Text2Video-Zero takes its motion; nothing of it is finetuned."""
    change("source", {"motion_adapter": None})
    change_combination({"render": {"generators": ["text2video_zero"], "motion_from_clip": True}})
    with pytest.raises(InputError, match="has no motion modules: remove animatediff .* or motion.finetune to false"):
        settings("toys")
    change_combination({"motion": {"finetune": False}})
    settings("toys")


@pytest.mark.parametrize("kind", ["sd1"], indirect=True)
def test_a_stage_needs_the_settings_stage(workspace: Path, kind: str) -> None:
    with pytest.raises(InputError, match="dvc repro settings@toys"):
        read_section("toys", "finetune", FinetuneSection)
    run_stages()
    assert read_section("toys", "finetune", FinetuneSection).training.schedule.steps == 3
    Path("runs/toys/settings.yaml").write_text("mix: {}\n")
    with pytest.raises(InputError, match="it has no finetune"):
        read_section("toys", "finetune", FinetuneSection)


def test_the_projects_own_params_are_right() -> None:
    assert "toys" in load_params(ROOT / "params.yaml").combinations


def test_asking_for_other_candidates_keeps_the_rest_of_the_file(tmp_path: Path) -> None:
    before = (ROOT / "params.yaml").read_text()
    path = tmp_path / "params.yaml"
    path.write_text(before)
    assert [raise_sampling_round("toys", path) for _ in range(2)] == [1, 2]
    assert path.read_text() == before.replace("sampling_round: 0", "sampling_round: 2")


def test_unknown_combination() -> None:
    with pytest.raises(InputError, match="combinations has no 'toyz'; choose one of toys"):
        load_params(ROOT / "params.yaml").combination("toyz")
