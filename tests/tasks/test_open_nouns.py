"""A subject whose noun the paper's detector lacks, through check and the mix stage, with an open detector of random weights that is played to find red."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file

from tasks.checks.everything import check_everything
from tasks.shared import judging
from tasks.shared.prepared import read_prepared
from tests.helpers.open_detector import write_random_open_detector
from tests.helpers.workspace import change, run_stages
from vd_core.errors import InputError
from vd_core.metrics.fidelity import refer_to
from vd_core.metrics.judges import Judges, load_local_judges
from vd_core.metrics.nouns import unknown_nouns
from vd_core.metrics.open_vocabulary import OpenDetector, load_open_detector
from vd_core.metrics.report import to_unit
from vd_core.metrics.wanted import DETECTOR_URL
from vd_core.settings import Part, PublicJudges

pytestmark = pytest.mark.parametrize("kind", ["sd1"], indirect=True)


class SeesRed(OpenDetector):
    """Finds its first noun wherever a picture is red."""

    def find(self, picture: torch.Tensor) -> dict[str, torch.Tensor]:
        super().find(picture)
        ys, xs = torch.nonzero((picture[0] > 0.9) & (picture[1] < 0.1), as_tuple=True)
        boxes = torch.tensor([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]] if len(xs) else []).reshape(-1, 4).float()
        return {"boxes": boxes, "labels": torch.zeros(len(boxes), dtype=torch.long), "scores": torch.full((len(boxes),), 0.2)}


def load(judges: PublicJudges, device: torch.device, class_nouns: list[str]) -> Judges:
    """The embedded judges, with an open detector as the public ones have it."""
    local = load_local_judges(Path("base/judges"), device)
    unknown = unknown_nouns(local.labels, class_nouns)
    opened = load_open_detector(judges.open_detector, device, unknown, ("car",))
    return replace(local, labels=(*local.labels, *unknown), open_detector=SeesRed(opened.model, opened.processor, unknown, ("car",)))


@pytest.fixture
def public(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workspace with public judges in folders, and a bear plushie that is red and sits at the side in the place of its dog."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(workspace / "torch"))
    files = ("torch/checkpoints/" + Path(DETECTOR_URL).name, "public/model.safetensors", "public/open_clip_model.safetensors")
    for path in map(Path, files):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    write_random_open_detector(Path("owl"))
    folders = {"identity": "public", "clip": "public", "open_detector": "owl"}
    change("judges", {key: {"path": str(workspace / path), "revision": None} for key, path in folders.items()})
    change("mix", {"crop": "subject"})
    for path in Path("data/toys/dog").glob("*.png"):
        path.unlink()
    picture = Image.effect_noise((400, 100), 60).convert("RGB")
    ImageDraw.Draw(picture).rectangle((320, 30, 379, 89), fill="red")
    picture.save("data/toys/dog/side.png")
    Path("data/toys/dog/subject.yaml").write_text("class_noun: bear plushie\n")
    return workspace


def test_a_plushie_is_found_for_its_square_and_its_reference(
    public: Path, kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """It had the middle square of each picture, and the whole square as its reference."""
    monkeypatch.setattr(judging, "load_judges", load)
    run_stages("mix")
    square = read_prepared("toys").pictures[0][0]
    assert square.getpixel((8, 8)) == (255, 0, 0)
    said = capsys.readouterr().out
    assert (
        f"'bear plushie' is not among the detector's 80 nouns; {public}/owl looks for it\n" in said
        and "middle square" not in said.split("car:")[0]
    )
    kept = load_file("runs/toys/mix/references/references.safetensors")["dog"]
    local = load_local_judges(Path("base/judges"), torch.device("cpu"))
    part = Part(str(public / "owl"), None)
    opened = load(PublicJudges(part, part, part), torch.device("cpu"), ["bear plushie"])
    assert torch.equal(kept, refer_to(opened, "bear plushie", to_unit([square])).embeddings)
    assert not torch.equal(kept, refer_to(local, "bear plushie", to_unit([square])).embeddings)


def test_the_open_detector_is_wanted_only_by_a_noun_that_needs_it(public: Path, kind: str) -> None:
    """Nobody with a dog and a car fetches it."""
    (public / "owl" / "model.safetensors").unlink()
    said = {f.what: f.said for f in check_everything("toys")}
    assert "has no model.safetensors" in said["judge: open detector"]
    assert said["nouns"] == f"'bear plushie' is not among the detector's 80 nouns; {public}/owl looks for it"
    with pytest.raises(InputError, match=r"weights are missing \(judge: open detector\): \S+ has no model.safetensors; put it there"):
        run_stages("mix")
    Path("data/toys/dog/subject.yaml").write_text("class_noun: brown dog\n")
    assert not {"judge: open detector", "nouns"} & {f.what for f in check_everything("toys")}
