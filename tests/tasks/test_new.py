"""`new`: what is written for a new combination, and that nothing is written if it is refused or interrupted."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tasks.commands.new as new
from tasks.checks.adding import add_combination, entry_of, insert
from tasks.checks.nouns import folder_names
from tasks.shared.merging import load_params, merge
from tests.helpers.imports import ROOT
from tests.helpers.pictures import noise_picture
from vd_core.inputs.subjects import load_subjects

ENTRY = entry_of("pets", "toybox", ["dog"], ["on the beach"], None)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """params.yaml and presets, and beside them photographs of two subjects."""
    folder = tmp_path / "project"
    (folder / "metrics").mkdir(parents=True)
    (folder / "metrics" / "bench.json").write_text("{}")
    (folder / "data").mkdir()
    shutil.copy(ROOT / "params.yaml", folder)
    shutil.copytree(ROOT / "presets", folder / "presets")
    for name in ("rex", "mia", "empty"):
        (tmp_path / name).mkdir()
    for n in range(3):
        noise_picture(n).save(tmp_path / "rex" / f"{n}.png")
    noise_picture(7).save(tmp_path / "mia" / "Möhre 猫.png")
    (tmp_path / "mia" / "linked.png").symlink_to(tmp_path / "rex" / "0.png")
    (tmp_path / "mia" / "broken.jpg").write_text("broken")
    (tmp_path / "mia" / "notes.txt").write_text("notes")
    monkeypatch.chdir(folder)
    return folder


def call(*arguments: str) -> tuple[int, str]:
    """The command's exit code and what it said."""
    import typer

    app = typer.Typer()
    app.command()(new.main)
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.output


def state(folder: Path) -> dict[str, bytes]:
    """All files of the project but the lock."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and not p.name.endswith(".tmp")}


REX, MIA, SCENE = ("--subject", "dog=../rex"), ("--subject", "tabby cat=../mia"), ("--prompt", "are surfing")


def test_another_combinations_finetuned_subjects_are_taken(project: Path) -> None:
    assert call("pets", *REX, *MIA, *SCENE)[0] == 0
    for wrong in (("more", *SCENE), ("more", *REX, *SCENE, "--finetune-from", "pets"), ("more", *SCENE, "--finetune-from", "dogs")):
        before = state(project)
        assert call(*wrong)[0] == 1 and state(project) == before
    code, said = call("more", "--finetune-from", "pets", "--prompt", "in the city")
    assert code == 0 and 'video of "a sks dog, a olis tabby cat in the city"' in said
    merged = merge(load_params(), "more")
    assert (merged.finetune_from, merged.base, merged.subjects) == ("pets", "sd15", ("dog", "tabby-cat"))
    assert [p.name for p in Path("data/more").iterdir()] == ["subjects.txt"]


@pytest.mark.parametrize("clip", [True, False], ids=["with a clip", "without"])
def test_subjects_that_are_drawn_alone_first(project: Path, clip: bool) -> None:
    """What the demo has, for one's own photographs; a clip leads them, and nothing is finetuned for that."""
    motion = ("--motion", str(ROOT / "data/toys/motion.mp4"), "--motion-prompt", "a bear playing") if clip else ()
    code, said = call("pets", *REX, *MIA, "--prompt", "in the snow: far", *motion, "--staged")
    assert code == 0 and 'video of "a sks dog, a olis tabby cat in the snow: far"' in said
    merged = merge(load_params(), "pets")
    assert merged.prompts == ({"scene": "in the snow: far", "subjects": {"dog": "", "tabby-cat": ""}},)
    assert (merged.regions.staged, merged.regions.layouts, merged.regions.takes) == (0.3, 2, 4)
    assert merged.render.motion_from_clip == clip and (merged.learned_motion is None)


def test_prompts_that_say_a_way_lead_where_no_clip_does(project: Path) -> None:
    code, _ = call("pets", *REX, *MIA, "--prompt", "are jumping in the snow", "--prompt", "in the city", "--staged")
    assert code == 0 and merge(load_params(), "pets").render.motion_from_words
    assert call("still", "--finetune-from", "pets", "--prompt", "in the city", "--staged")[0] == 0
    assert not merge(load_params(), "still").render.motion_from_words


def test_the_combination_is_whole_and_the_originals_stay(project: Path) -> None:
    before, originals = state(project), state(project.parent / "mia")
    code, said = call("pets", *REX, *MIA, *SCENE, "--motion", str(ROOT / "data/toys/motion.mp4"), "--motion-prompt", "a bear: jumps # high")
    assert code == 0, said
    merged = merge(load_params(), "pets")
    assert (merged.base, merged.subjects, merged.motion_prompt) == ("sd15", ("dog", "tabby-cat"), "a bear: jumps # high")
    subjects = load_subjects(Path("data/pets"), merged.subjects, merged.placeholder_tokens)
    assert [s.class_noun for s in subjects] == ["dog", "tabby cat"]
    copied = Path("data/pets/tabby-cat")
    assert {p.name for p in copied.iterdir()} == {"Möhre 猫.png", "linked.png", "subject.yaml"}
    assert not (copied / "linked.png").is_symlink()
    assert (copied / "linked.png").read_bytes() == Path("../rex/0.png").read_bytes()
    assert "broken.jpg is not a readable picture" in said and "notes.txt" in said
    assert 'video of "a sks dog, a olis tabby cat are surfing"' in said
    assert state(project.parent / "mia") == originals
    after = state(project)
    assert all(after[name] == content for name, content in before.items() if name != "params.yaml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("toys", *REX, *SCENE), "has a 'toys' already"),
        (("bench", *REX, *SCENE), "metrics/bench.json stands already"),
        (("on", *REX, *SCENE), "YAML may read 'on'"),
        (("1e3", *REX, *SCENE), "YAML may read '1e3'"),
        (("../pets", *REX, *SCENE), "is not a name of lower-case"),
        (("Pets", *REX, *SCENE), "is not a name of lower-case"),
        (("p" * 61, *REX, *SCENE), "61 characters"),
        (("pets", "--subject", "dog=../gone", *SCENE), "../gone is missing"),
        (("pets", "--subject", "dog=../rex/0.png", *SCENE), "is a file; name a folder"),
        (("pets", *REX, "--subject", "cat=../empty", *SCENE), "../empty holds no picture"),
        (("pets", "--subject", "../rex", *SCENE), "is not noun=folder"),
        (("pets", "--subject", "a dog=../rex", *SCENE), "begins with an article"),
        (("pets", "--subject", "d" * 41 + "=../rex", *SCENE), "has 41 characters"),
        (("pets", *REX * 9, *SCENE), "9 subjects were given"),
        (("pets", *REX, "--prompt", "very " * 80 + "far"), "has 81 words"),
        (("pets", *REX, "--prompt", " "), "is not one line of words"),
        (("pets", *REX, *SCENE, "--base", "sd99"), "base 'sd99' is unknown"),
        (("pets", *REX, *SCENE, "--motion-prompt", "a man"), "belong together"),
        (("pets", *REX, *SCENE, "--motion", "../rex/0.png"), "belong together"),
        (("pets", *REX, *SCENE, "--motion", "../gone.mp4", "--motion-prompt", "a man"), "gone.mp4 is no file"),
        (("pets", *REX, *SCENE, "--motion", "../mia/notes.txt", "--motion-prompt", "a man"), "../mia/notes.txt is not a readable video"),
        (
            ("pets", *REX, *SCENE, "--base", "sd21", "--motion", "../rex/0.png", "--motion-prompt", "a man"),
            "base sd21 has no motion modules",
        ),
    ],
)
def test_what_is_refused_leaves_nothing(project: Path, arguments: tuple[str, ...], message: str) -> None:
    before = state(project)
    code, said = call(*arguments)
    assert code == 1
    assert message in said
    assert len(said.strip().splitlines()) == 1
    assert state(project) == before
    assert not list(Path("data").iterdir())


def test_an_interruption_at_the_last_step_leaves_nothing(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state(project)

    def interrupt(*arguments: object) -> None:
        assert Path("data/pets/dog/subject.yaml").is_file()
        raise KeyboardInterrupt

    monkeypatch.setattr(new, "add_combination", interrupt)
    with pytest.raises(KeyboardInterrupt):
        new.create("pets", "sd15", ["dog=../rex"], ["jump"], None, None)
    assert state(project) == before
    assert not list(Path("data").iterdir())


def test_what_a_killed_command_left_aside_is_not_taken(project: Path) -> None:
    Path("data/.pets.new/dog").mkdir(parents=True)
    Path("data/.pets.new/dog/old.png").write_text("half")
    assert call("pets", *REX, *SCENE)[0] == 0
    assert not Path("data/pets/dog/old.png").exists()
    assert [p.name for p in Path("data").iterdir()] == ["pets"]


OWN_STYLE = (
    "base: 'toybox'   # mine\ncombinations:\n    toys:\n        prompts: [ a,b ]   # two\n        # below\n\n# about the seed\nseed: 0\n"
)


@pytest.mark.parametrize(
    "text",
    [(ROOT / "params.yaml").read_text(), OWN_STYLE, OWN_STYLE.replace("\n", "\r\n"), "seed: 0\ncombinations:\n  toys: {prompts: [a]}"],
    ids=["ours", "own style", "windows", "no last line end"],
)
def test_all_other_bytes_of_the_file_stay(tmp_path: Path, text: str) -> None:
    """A round trip through a YAML library rewrites quotes, brackets and indentation of what a person wrote."""
    path = tmp_path / "params.yaml"
    path.write_bytes(text.encode())
    add_combination("pets", ENTRY, path)
    after = path.read_bytes().decode()
    added = after.index(next(line for line in after.splitlines() if line.strip() == "pets:"))
    assert after.startswith(text[:added].rstrip("\r\n"))
    assert after.endswith(text[added:])
    assert ("\r\n" in text) == ("\r\n" in after[added:]) and "\n\n\n" not in after


def test_a_comment_of_the_next_key_stays_with_it() -> None:
    assert "sampling_round: 0\n\n# about the seed\nseed: 0\n" in insert(OWN_STYLE, "pets", ENTRY)


def test_a_file_that_cannot_be_added_to_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("combinations: {toys: {prompts: [a]}}\n")
    with pytest.raises(ValueError, match="cannot add to combinations"):
        add_combination("pets", ENTRY, path)
    assert path.read_text() == "combinations: {toys: {prompts: [a]}}\n"


def test_folders_are_named_after_nouns() -> None:
    assert folder_names(["dog", "Tabby  cat", "dog", "Hündchen", "猫", "dog 2"]) == [
        "dog",
        "tabby-cat",
        "dog-2",
        "hundchen",
        "subject",
        "dog-2-2",
    ]
