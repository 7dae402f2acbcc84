"""The public judges' loading, with random weights in the published layouts."""

from pathlib import Path

import open_clip
import pytest
import timm
import torch
from safetensors.torch import save_file
from torchvision.models.detection import FasterRCNN_MobileNet_V3_Large_FPN_Weights, fasterrcnn_mobilenet_v3_large_fpn

from tests.helpers.open_detector import write_random_open_detector
from vd_core.errors import InputError
from vd_core.files import sha256_of
from vd_core.metrics import judges as loaded
from vd_core.metrics.judges import DINO, build_identity, convert_timm, load_public_judges
from vd_core.metrics.nouns import COCO_NOUNS
from vd_core.settings import FilePart, Part, PublicJudges


def test_dinos_weights_from_timm_give_timms_embeddings() -> None:
    """The repository with transformers' names holds a pickle alone; timm's has safetensors."""
    torch.manual_seed(0)
    theirs = timm.create_model("vit_small_patch16_224.dino", pretrained=False, num_classes=0).eval()
    ours = build_identity(DINO).eval()
    ours.load_state_dict(convert_timm(theirs.state_dict()))
    pixels = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.allclose(ours(pixels).last_hidden_state[:, 0], theirs(pixels), atol=1e-4)


def test_judges_are_read_from_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI's weights want QuickGELU; open_clip's tag sets it, a file does not."""
    torch.manual_seed(0)
    dino = timm.create_model("vit_small_patch16_224.dino", pretrained=False, num_classes=0)
    clip = open_clip.create_model("ViT-B-32-quickgelu", pretrained=None).eval()
    save_file(dino.state_dict(), tmp_path / "model.safetensors")
    save_file(clip.state_dict(), tmp_path / "open_clip_model.safetensors")
    detector = fasterrcnn_mobilenet_v3_large_fpn(weights=None, weights_backbone=None)
    monkeypatch.setattr(loaded, "load_public_detector", lambda: (detector, ("background", "dog")))
    part, cpu = FilePart(str(tmp_path), None, sha256_of(tmp_path / "model.safetensors")), torch.device("cpu")
    judges = load_public_judges(PublicJudges(part, FilePart(part.path, None), Part(str(tmp_path / "owl"), None)), cpu, ["Brown dog", "cat"])
    assert judges.open_detector is None and judges.labels == ("background", "dog")
    pictures = torch.rand(1, 3, 224, 224)
    own = clip.encode_image(loaded.normalise(pictures, 224, loaded.OPENAI_MEAN, loaded.OPENAI_STD), normalize=True)
    assert torch.allclose(judges.embed_images(pictures), own, atol=1e-5)
    write_random_open_detector(tmp_path / "owl")
    judges = load_public_judges(
        PublicJudges(part, FilePart(part.path, None), Part(str(tmp_path / "owl"), None)), cpu, ["Brown dog", "Bear plushie"]
    )
    assert judges.labels == ("background", "dog", "bear plushie")
    assert judges.open_detector and (judges.open_detector.nouns, judges.open_detector.others) == (("bear plushie",), ("dog",))


def test_a_judge_of_other_content_than_the_pinned_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_text("x")
    part = FilePart(str(tmp_path), None, "0" * 64)
    with pytest.raises(InputError, match=r"model.safetensors is not the file that the preset pins; delete .* to fetch it again"):
        load_public_judges(PublicJudges(part, part, part), torch.device("cpu"), ["dog"])


def test_the_nouns_that_are_known_without_the_detector_are_the_detectors() -> None:
    categories = FasterRCNN_MobileNet_V3_Large_FPN_Weights.DEFAULT.meta["categories"]
    assert [c for c in categories if c not in ("__background__", "N/A")] == list(COCO_NOUNS) and len(COCO_NOUNS) == 80


def test_a_detector_that_is_missing_offline_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaded.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    with pytest.raises(
        InputError, match=r"checkpoints/fasterrcnn_\S+ is missing and HF_HUB_OFFLINE is set; put https://download.pytorch.org"
    ):
        loaded.load_public_detector()
