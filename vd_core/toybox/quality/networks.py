"""`make quality`: the autoencoder, CLIP and the judges, on drawings that no training saw."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from vd_core.bases.encode import embed_pictures, encode_pictures, tokenize
from vd_core.inputs.pictures import to_pictures
from vd_core.metrics.report import to_unit
from vd_core.toybox.pretraining.accessory_training import worn_labels
from vd_core.toybox.pretraining.contrastive import draw_captioned
from vd_core.toybox.pretraining.encoders import embed_captions, load_text_head
from vd_core.toybox.pretraining.judges import draw_view
from vd_core.toybox.pretraining.reader_training import attribute_labels, draw_crops, draw_large
from vd_core.toybox.quality.average_precision import measure_ap50
from vd_core.toybox.quality.measured import SEED, Subjects, figure, to_unit_array
from vd_core.toybox.world.draw import draw_scene
from vd_core.toybox.world.scenes import BACKGROUNDS, HELD_OUT, KINDS, Toy, sample_scene


def drawn(seed: int, count: int) -> list[Image.Image]:
    """Drawn pictures from consecutive seeds."""
    return [Image.fromarray(draw_scene(sample_scene(seed + i))[0]) for i in range(count)]


@torch.no_grad()
def measure_autoencoder(s: Subjects) -> Iterator[tuple[str, dict]]:
    """PSNR in decibels of 500 held-out pictures."""
    pictures = drawn(SEED, 500)
    moments = encode_pictures(s.base, pictures)
    scale = s.base.vae.config.scaling_factor
    decoded = [to_pictures(s.base.vae.decode(m / scale).sample) for m in moments.mean.split(20)]
    again = to_unit([p for batch in decoded for p in batch])
    mse = (to_unit(pictures) - again).square().flatten(1).mean(1)
    yield "autoencoder_psnr_db", figure((-10 * mse.log10()).numpy())


@torch.no_grad()
def measure_clip(s: Subjects) -> Iterator[tuple[str, dict]]:
    """Caption retrieval among 64: the base's image encoder against the text head over its text encoder's states.

    The text head is not part of Stable Diffusion's folder; it lies beside the judges.
    """
    head = load_text_head(s.folder)
    hits: list[float] = []
    for group in range(8):
        pictures, captions = draw_captioned(SEED + 10_000 + 64 * group, 64)
        images = F.normalize(embed_pictures(s.base, [Image.fromarray(p) for p in pictures]), dim=-1)
        texts = embed_captions(s.base.text_encoder, head, tokenize(s.base, captions))
        hits += ((texts @ images.T).argmax(1) == torch.arange(64)).float().tolist()
    yield "clip_retrieval", figure(hits)


@torch.no_grad()
def measure_judges(s: Subjects) -> Iterator[tuple[str, dict]]:
    """The reader on held-out drawings, the detector's AP50, identity retrieval among 50 held-out identities in another pose."""
    yield from measure_reader(s)
    yield "detector_ap50", measure_ap50(s.judges)
    yield "identity_retrieval", measure_identity(s)


def measure_reader(s: Subjects, pictures: int = 2400, batch: int = 600) -> Iterator[tuple[str, dict]]:
    """How often the readers read a drawn toy's kind, colour, pattern and accessory right, and a drawing's background, behind toys that hide most of it too."""
    right: dict[str, list[float]] = {"kind": [], "colour": [], "pattern": [], "background": [], "accessory": []}
    for seed in range(SEED + 20_000, SEED + 20_000 + pictures, batch):
        drawings, backgrounds, crops, toys, _ = draw_crops(seed, batch)
        logits, labels = s.reader.read_toys(to_unit_array(crops)), attribute_labels(toys)
        logits["background"] = s.reader.read_backgrounds(to_unit_array(drawings))
        logits["accessory"], labels["accessory"] = s.accessories(to_unit_array(crops)), worn_labels(toys)
        labels["background"] = torch.tensor([list(BACKGROUNDS).index(b) for b in backgrounds])
        for name, hits in right.items():
            hits += (logits[name].argmax(1) == labels[name]).float().tolist()
    large, behind = draw_large(SEED + 60_000, pictures // 4)
    read = s.reader.read_backgrounds(to_unit_array(large)).argmax(1).tolist()
    right["background_large"] = [float(list(BACKGROUNDS)[i] == b) for i, b in zip(read, behind, strict=True)]
    for name, hits in right.items():
        yield f"judge_{name}", figure(hits)


def measure_identity(s: Subjects) -> dict:
    """Nearest neighbor among all held-out identities (one kind at a time), seen once in another pose and scene."""
    hits: list[float] = []
    for k, kind in enumerate(KINDS):
        toys = [Toy(kind, *identity) for identity in HELD_OUT]
        views = [np.stack([draw_view(t, SEED + 40_000 + 1000 * k + 100 * v + i) for i, t in enumerate(toys)]) for v in range(2)]
        known, asked = (s.judges.embed_identity(to_unit_array(v)) for v in views)
        hits += ((asked @ known.T).argmax(1) == torch.arange(len(toys))).float().tolist()
    return figure(hits)
