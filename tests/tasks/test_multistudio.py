"""The commands of MultiStudioBench: check says what there is or what is wrong, fetch fills data/multistudio."""

import io
import shutil
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml
from typer.testing import CliRunner, Result

from tasks.commands import multistudio
from tests.helpers.imports import ROOT
from tests.helpers.pictures import noise_picture
from vd_core.inputs.subjects import load_subjects
from vd_core.studies.multistudio import PhotographedSubject, load_edition


def run(*arguments: str) -> Result:
    return CliRunner().invoke(multistudio.app, list(arguments))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The benchmark's files and the embedded base's tokenizer; the working directory."""
    shutil.copytree(ROOT / "benchmarks", tmp_path / "benchmarks")
    shutil.copytree(ROOT / "models/toybox/tokenizer", tmp_path / "models/toybox/tokenizer")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_check_counts_the_videos(project: Path) -> None:
    done = run("check")
    assert done.exit_code == 0
    assert "| real | full | 25 | 15 | 30 | 4 | 1800 |" in done.output and "| toybox | quick | 10 | 5 | 6 | 2 | 60 |" in done.output


def test_check_names_a_toy_that_the_evidence_was_tuned_on(project: Path) -> None:
    path = project / "benchmarks/multistudio/toybox.yaml"
    content = yaml.safe_load(path.read_text())
    content["subjects"]["dog2"]["looks"] = ["green", "pink", "striped"]
    path.write_text(yaml.safe_dump(content))
    done = run("check")
    assert done.exit_code == 1
    assert done.output == ("error: benchmarks/multistudio/toybox.yaml: subjects.dog2: green pink striped is the demo's or the tuning's\n")


def play_archive(path: Path, source: str, top: str) -> Path:
    """A zip with four pictures of each of a source's subjects."""
    edition = load_edition(Path("benchmarks/multistudio/real.yaml"))
    content = io.BytesIO()
    noise_picture(0, (16, 16)).save(content, "JPEG")
    own = [s for s in edition.subjects.values() if isinstance(s, PhotographedSubject) and s.source == source]
    with ZipFile(path, "w") as packed:
        for subject in own:
            for i in range(4):
                packed.writestr(f"{top}{edition.sources[source].root}/{subject.folder}/{i:02d}.jpg", content.getvalue())
    return path


def test_fetch_makes_folders_that_a_combination_can_use(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    played = play_archive(project / "dreambooth.zip", "dreambooth", "dreambooth-e9b8/")

    def download(url: str, target: Path, told: object) -> None:
        asked.append(url)
        target.parent.mkdir(parents=True)
        shutil.copy(played, target)

    monkeypatch.setattr(multistudio, "download", download)
    done = run("fetch")
    assert done.exit_code == 0 and len(asked) == 1 and asked[0].startswith("https://github.com/google/dreambooth/archive/")
    assert "6 subjects of customconcept101 are left out: run 'pip install gdown" in done.output
    subjects = load_subjects(Path("data/multistudio"), ("cat", "bear-plushie"), ("sks", "olis"))
    assert [s.class_prompt for s in subjects] == ["a cat", "a stuffed animal"]
    kept = project / "data/multistudio/cat/00.jpg"
    kept.write_bytes(b"a person's own")
    by_hand = play_archive(project / "benchmark_dataset.zip", "customconcept101", "")
    done = run("fetch", "--archive", f"customconcept101={by_hand}")
    assert done.exit_code == 0 and len(asked) == 1, "nothing is fetched twice"
    assert len(list((project / "data/multistudio").iterdir())) == 25 and kept.read_bytes() == b"a person's own"


def test_fetch_says_which_archive_is_wrong(project: Path) -> None:
    assert run("fetch", "--archive", "nobody=x.zip").output == (
        "error: --archive nobody=x.zip: there is no source 'nobody'; choose from dreambooth, customconcept101\n"
    )
    assert run("fetch", "--archive", "dreambooth=gone.zip").output == (
        "error: --archive dreambooth=gone.zip: gone.zip is no file; correct the path\n"
    )
