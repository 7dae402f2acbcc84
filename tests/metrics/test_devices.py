"""Judges on another device than the CPU. torch has no second one here, so weights lie on "meta", which refuses to compute with the CPU's tensors."""

from collections.abc import Callable

import pytest
import torch

from tasks.shared import judging
from tasks.shared.sections import Judging
from vd_core.bases import device
from vd_core.metrics.judges import Judges, build_clip, build_identity
from vd_core.toybox.pretraining.judges import CONFIG

META = torch.device("meta")
PICTURES = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))


class Detector(torch.nn.Module):
    """Sees one thing in a picture that lies where it does."""

    def forward(self, pictures: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        assert {p.device for p in pictures} == {META}
        return [{"boxes": torch.empty(1, 4, device=META)} for _ in pictures]


def refuse_the_cpu(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
    assert inputs[0].device == META


@pytest.fixture
def judges(monkeypatch: pytest.MonkeyPatch) -> Judges:
    """Judges of the real classes on "meta"; what comes back from there is zeros."""
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: torch.zeros(tensor.shape))
    with META:
        identity, clip = build_identity(CONFIG["identity"]), build_clip(CONFIG["clip"])
    clip.token_embedding.register_forward_pre_hook(refuse_the_cpu)  # "meta" itself takes ids from anywhere
    length = CONFIG["clip"]["text"]["context_length"]
    return Judges(
        META, Detector(), ("background",), identity, clip, lambda texts: torch.zeros(len(texts), length, dtype=torch.long), None, False
    )


@pytest.mark.parametrize(
    "ask",
    [
        lambda judges: judges.embed_identity(PICTURES),
        lambda judges: judges.embed_images(PICTURES),
        lambda judges: judges.embed_texts(["a dog"]),
        lambda judges: judges.detections(PICTURES)[0]["boxes"],
    ],
    ids=["identity", "images", "texts", "detector"],
)
def test_what_is_judged_goes_to_the_judges_device_and_comes_back(judges: Judges, ask: Callable[[Judges], torch.Tensor]) -> None:
    """Everything was computed where the pictures lay, on the CPU."""
    assert ask(judges).device.type == "cpu"


@pytest.mark.parametrize(
    ("gpu", "chosen"), [(True, {"auto": "cuda", "cuda": "cuda", "cpu": "cpu"}), (False, {"auto": "cpu", "cpu": "cpu"})]
)
def test_judges_are_loaded_on_the_sections_device(gpu: bool, chosen: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """They ran on the CPU beside an idle GPU."""
    monkeypatch.setattr(device, "gpu_is_usable", lambda: gpu)
    monkeypatch.setattr(judging, "require", lambda *_: None)
    monkeypatch.setattr(judging, "load_judges", lambda _, device, nouns: device.type)
    own = Judging(judges="judges", files=None)
    assert {name: judging.open_judges(own, name, []) for name in chosen} == chosen
