"""Training of the judges: other pictures (seeds), other architectures than the base's, never used in training it."""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from vd_core.metrics.judges import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    OPENAI_MEAN,
    OPENAI_STD,
    build_clip,
    build_detector,
    build_identity,
    normalise,
)
from vd_core.toybox.pretraining.contrastive import draw_captioned
from vd_core.toybox.pretraining.tokens import MAX_TOKENS, build_tokenizer, tokenize
from vd_core.toybox.pretraining.trainer import ema_weights, fit
from vd_core.toybox.reading.reader import IDENTITY_SIZE
from vd_core.toybox.world.draw import SIZE, draw_scene
from vd_core.toybox.world.scenes import KINDS, Scene, Toy, sample_scene

Weights = dict[str, torch.Tensor]
SEEDS = {"detector": 500_000_000, "identity": 600_000_000, "clip": 700_000_000}
CONFIG = {
    "labels": list(KINDS),
    "detector_size": 128,
    "identity": {
        "hidden_size": 128,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "intermediate_size": 512,
        "image_size": IDENTITY_SIZE,
        "patch_size": 4,
    },
    "clip": {
        "embed_dim": 128,
        "vision": {"layers": 5, "width": 128, "head_width": 32, "patch_size": 8, "image_size": SIZE},
        "text": {"context_length": MAX_TOKENS, "vocab_size": 400, "width": 128, "heads": 4, "layers": 3},
    },
}


def to_unit(pictures: np.ndarray) -> torch.Tensor:
    """uint8 `[b, h, w, 3]` to float32 `[b, 3, h, w]` in 0..1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


def train_detector(folder: Path, steps: int, start: Weights | None = None, batch: int = 16) -> Path:
    """Faster R-CNN's own four losses on scenes of one to four toys; from nothing, or on from the weights `start`."""
    torch.manual_seed(3)
    detector = build_detector(len(KINDS), CONFIG["detector_size"])
    detector.load_state_dict(start or detector.state_dict())

    def loss_fn(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        scenes = [sample_scene(SEEDS["detector"] + step * batch + i) for i in range(batch)]
        drawn = [draw_scene(s) for s in scenes]
        boxes = [torch.from_numpy(b).clamp(0, SIZE) for _, b in drawn]
        labels = [torch.tensor([KINDS.index(t.kind) + 1 for t in s.toys]) for s in scenes]
        keep = [(b[:, 2:] - b[:, :2]).min(1).values >= 4 for b in boxes]
        targets = [{"boxes": b[k], "labels": n[k]} for b, n, k in zip(boxes, labels, keep, strict=True)]
        with torch.autocast("cpu", enabled=False):
            losses = detector(list(to_unit(np.stack([p for p, _ in drawn]))), targets)
        return {"loss": sum(losses.values()), **losses}

    return fit("detector", detector, loss_fn, folder, steps, peak_lr=1e-3, ema_decay=0.995)


def crop_box(picture: np.ndarray, box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The box's square-resized crop, uint8 `[IDENTITY_SIZE, IDENTITY_SIZE, 3]`, jittered as a detector's box is."""
    import cv2

    x1, y1, x2, y2 = box + rng.uniform(-0.08, 0.08, 4) * np.tile(box[2:] - box[:2], 2)
    x1, y1 = max(int(x1), 0), max(int(y1), 0)
    x2, y2 = max(int(np.ceil(x2)), x1 + 4), max(int(np.ceil(y2)), y1 + 4)
    return cv2.resize(picture[y1:y2, x1:x2], (IDENTITY_SIZE, IDENTITY_SIZE), interpolation=cv2.INTER_LINEAR)


def draw_view(toy: Toy, seed: int) -> np.ndarray:
    """One toy of `toy`'s kind and identity, in a scene, place, pose and motion of `seed`'s choice, cropped."""
    rng = np.random.default_rng([seed, 8])
    scene = sample_scene(seed, count=int(rng.choice([1, 2, 3])), collages=False)
    at = int(rng.integers(len(scene.toys)))
    look = {"kind": toy.kind, "colour": toy.colour, "trim": toy.trim, "pattern": toy.pattern}
    toys = tuple(Toy(**{**t.__dict__, **look}) if i == at else t for i, t in enumerate(scene.toys))
    picture, boxes = draw_scene(Scene(toys, scene.background, seed, scene.phase))
    box = np.clip(boxes[at], 0, SIZE)
    return crop_box(picture, box, rng)


def train_identity(folder: Path, steps: int, start: Weights | None = None, batch: int = 64) -> Path:
    """Two views of each toy attract, other toys' repel (InfoNCE, temperature 0.1); half of a batch shares its kind with the others."""
    torch.manual_seed(4)
    identity = build_identity(CONFIG["identity"])
    identity.load_state_dict(start or identity.state_dict())

    def loss_fn(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        start = SEEDS["identity"] + step * batch * 3
        toys = [sample_scene(start + i, 1, collages=False).toys[0] for i in range(batch)]
        toys = [Toy(**{**t.__dict__, "kind": toys[0].kind}) if i < batch // 2 else t for i, t in enumerate(toys)]
        views = np.stack([draw_view(t, start + batch + 2 * i + v) for v in range(2) for i, t in enumerate(toys)])
        pixels = normalise(to_unit(views), IDENTITY_SIZE, IMAGENET_MEAN, IMAGENET_STD)
        embeddings = F.normalize(identity(pixels).last_hidden_state[:, 0].float(), dim=-1)
        logits = embeddings[:batch] @ embeddings[batch:].T / 0.1
        labels = torch.arange(batch)
        loss = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
        return {"loss": loss, "retrieval": (logits.argmax(1) == labels).float().mean()}

    return fit("identity", identity, loss_fn, folder, steps, peak_lr=1e-3, ema_decay=0.995)


def train_clip(folder: Path, steps: int, batch: int = 128) -> Path:
    """CLIP's symmetric cross-entropy."""
    torch.manual_seed(5)
    clip, tokenizer = build_clip(CONFIG["clip"]), build_tokenizer()

    def loss_fn(step: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
        pictures, captions = draw_captioned(SEEDS["clip"] + step * batch, batch)
        images = clip.encode_image(normalise(to_unit(pictures), SIZE, OPENAI_MEAN, OPENAI_STD), normalize=True).float()
        texts = clip.encode_text(tokenize(tokenizer, captions), normalize=True).float()
        logits = clip.logit_scale.exp().clamp(max=100) * images @ texts.T
        labels = torch.arange(batch)
        loss = (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2
        return {"loss": loss, "retrieval": (logits.argmax(0) == labels).float().mean()}

    return fit("clip judge", clip, loss_fn, folder, steps, peak_lr=1e-3, ema_decay=0.995)


def save_judges(states: dict[str, Path], folder: Path) -> None:
    """Write the averaged judges in half precision, as `load_local_judges` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, state in states.items():
        save_file(half_precision(ema_weights(state)), folder / f"{name}.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")


def half_precision(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Floating-point tensors as float16, the others as they are."""
    return {k: v.half().contiguous() if v.is_floating_point() else v for k, v in weights.items()}
