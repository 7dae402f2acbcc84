"""`make quality`: how well the embedded base and its judges do, on seeds that no training saw."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from tqdm import tqdm

from vd_core.bases.encode import embed_pictures, embed_prompts, encode_pictures, tokenize
from vd_core.bases.stable_diffusion import Base, folder_source, load_base
from vd_core.generation.animatediff import build_animatediff, generate_animatediff
from vd_core.generation.pictures import generate_pictures
from vd_core.generation.unet import unroll
from vd_core.inputs.pictures import to_pictures
from vd_core.metrics.clip_scores import temporal_consistency
from vd_core.metrics.intervals import with_interval
from vd_core.metrics.judges import Judges, load_local_judges
from vd_core.metrics.report import to_unit
from vd_core.metrics.stitch import has_seam
from vd_core.toybox.pretraining.average_precision import measure_ap50
from vd_core.toybox.pretraining.contrastive import draw_captioned
from vd_core.toybox.pretraining.encoders import embed_captions, load_text_head
from vd_core.toybox.pretraining.judges import draw_view
from vd_core.toybox.pretraining.reader_training import attribute_labels, draw_crops
from vd_core.toybox.reading.action_binding import action_binding
from vd_core.toybox.reading.reader import AttributeReader, load_reader, read_picture
from vd_core.toybox.reading.tracking import track_motion
from vd_core.toybox.world.draw import CLIP_FRAMES, draw_clip, draw_scene, in_motion
from vd_core.toybox.world.scenes import BACKGROUNDS, COLOURS, HELD_OUT, KINDS, MOTIONS, STITCH_PROMPT, Toy, join_names, sample_scene

SEED = 1_000_000_000
STEPS, GUIDANCE = 25, 5.0


@dataclass(frozen=True)
class Subjects:
    """What is measured: the base, its public judges, and the reader."""

    base: Base
    judges: Judges
    reader: AttributeReader
    folder: Path


def figure(samples: list[float] | np.ndarray) -> dict:
    """A mean as `value`, with `n` and the 95% bootstrap interval `ci95`."""
    values = np.asarray(samples, dtype=float)
    draws = np.random.default_rng(0).choice(values, (1000, len(values))).mean(axis=1)
    return with_interval(values.mean(), draws, len(values))


def load_subjects_of_measurement(folder: Path) -> Subjects:
    """The base in `folder` with its judges and reader."""
    judges, cpu = folder / "judges", torch.device("cpu")
    return Subjects(load_base(folder_source(folder), cpu), load_local_judges(judges, cpu), load_reader(judges), folder)


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
    """How often the reader reads a drawn toy's kind, colour and pattern right, and a drawing's background."""
    right: dict[str, list[float]] = {"kind": [], "colour": [], "pattern": [], "background": []}
    for seed in range(SEED + 20_000, SEED + 20_000 + pictures, batch):
        drawings, backgrounds, crops, toys, _ = draw_crops(seed, batch)
        logits, labels = s.reader.read_toys(to_unit_array(crops)), attribute_labels(toys)
        logits["background"] = s.reader.read_backgrounds(to_unit_array(drawings))
        labels["background"] = torch.tensor([list(BACKGROUNDS).index(b) for b in backgrounds])
        for name, hits in right.items():
            hits += (logits[name].argmax(1) == labels[name]).float().tolist()
    for name, hits in right.items():
        yield f"judge_{name}", figure(hits)


def to_unit_array(pictures: np.ndarray) -> torch.Tensor:
    """uint8 `[b, h, w, 3]` to float32 `[b, 3, h, w]` in 0..1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255


def measure_identity(s: Subjects) -> dict:
    """Nearest neighbor among all held-out identities (one kind at a time), seen once in another pose and scene."""
    hits: list[float] = []
    for k, kind in enumerate(KINDS):
        toys = [Toy(kind, *identity) for identity in HELD_OUT]
        views = [np.stack([draw_view(t, SEED + 40_000 + 1000 * k + 100 * v + i) for i, t in enumerate(toys)]) for v in range(2)]
        known, asked = (s.judges.embed_identity(to_unit_array(v)) for v in views)
        hits += ((asked @ known.T).argmax(1) == torch.arange(len(toys))).float().tolist()
    return figure(hits)


@torch.no_grad()
def measure_drawing(s: Subjects, count: int = 500) -> Iterator[tuple[str, dict]]:
    """What the U-Net draws of "a <colour> <kind> <background>", and of two toys, read by the judges; seams; seconds a picture."""
    rng = np.random.default_rng(SEED)
    asked = [(str(rng.choice(list(COLOURS))), str(rng.choice(KINDS)), str(rng.choice(list(BACKGROUNDS)))) for _ in range(count)]
    start = time.monotonic()
    pictures = draw(s, [f"a {c} {k} {BACKGROUNDS[b]}" for c, k, b in asked], SEED)
    seconds = (time.monotonic() - start) / count
    read = [read_largest(s, p) for p in pictures]
    yield "draws_kind", figure([r is not None and r["kind"] == k for r, (_, k, _) in zip(read, asked, strict=True)])
    yield "draws_colour", figure([r is not None and r["colour"] == c for r, (c, _, _) in zip(read, asked, strict=True)])
    backgrounds = s.reader.read_backgrounds(to_unit(pictures)).argmax(1).tolist()
    yield "draws_background", figure([list(BACKGROUNDS)[i] == b for i, (_, _, b) in zip(backgrounds, asked, strict=True)])
    yield "draws_seam_unasked", figure([has_seam(np.asarray(p)) for p in pictures])
    yield "seconds_per_picture", {"value": round(seconds, 3), "n": count, "ci95": [round(seconds, 3)] * 2}
    yield from measure_two(s)
    seamed = draw(s, [f"{STITCH_PROMPT}, a {c} {k}, a {KINDS[(KINDS.index(k) + 3) % 8]}" for c, k, _ in asked[:100]], SEED + 2000)
    yield "draws_seam_asked", figure([has_seam(np.asarray(p)) for p in seamed])


def measure_two(s: Subjects, count: int = 200) -> Iterator[tuple[str, dict]]:
    """Two toys of different kinds and colours: are both kinds there, and how often does one show the other's colour?"""
    rng = np.random.default_rng(SEED + 1)
    pairs = [choose_toys(rng, 2) for _ in range(count)]
    prompts = [f"a {a[0]} {a[1]} and a {b[0]} {b[1]} {BACKGROUNDS[str(rng.choice(list(BACKGROUNDS)))]}" for a, b in pairs]
    both, blend = [], []
    for pair, picture in zip(pairs, draw(s, prompts, SEED + 3000), strict=True):
        seen = {r["kind"]: r["colour"] for r in read_picture(s.judges, s.reader, picture)}
        both.append({k for _, k in pair} <= seen.keys())
        if both[-1]:
            blend.append(any(seen[pair[i][1]] == pair[1 - i][0] for i in range(2)))
    yield "draws_two_kinds", figure(both)
    yield "draws_two_blend", figure(blend or [float("nan")])


def choose_toys(rng: np.random.Generator, count: int) -> list[tuple[str, str]]:
    """The colors and kinds of `count` toys, all different."""
    kinds, colours = rng.choice(KINDS, count, replace=False), rng.choice(list(COLOURS), count, replace=False)
    return [(str(c), str(k)) for c, k in zip(colours, kinds, strict=True)]


@torch.no_grad()
def measure_crowds(s: Subjects, count: int = 100) -> Iterator[tuple[str, dict]]:
    """Three and four toys of different kinds and colors: are all kinds there, and all in their own colors?"""
    for name, number in (("three", 3), ("four", 4)):
        rng = np.random.default_rng(SEED + 10 + number)
        crowds = [choose_toys(rng, number) for _ in range(count)]
        places = [BACKGROUNDS[str(rng.choice(list(BACKGROUNDS)))] for _ in crowds]
        prompts = [f"{join_names([f'a {c} {k}' for c, k in crowd])} {place}" for crowd, place in zip(crowds, places, strict=True)]
        pictures = draw(s, prompts, SEED + 5000 + 1000 * number)
        read = [[(r["colour"], r["kind"]) for r in read_picture(s.judges, s.reader, p)] for p in pictures]
        kinds = [{k for _, k in crowd} <= {k for _, k in found} for crowd, found in zip(crowds, read, strict=True)]
        yield f"draws_{name}_kinds", figure(kinds)
        yield f"draws_{name}_bound", figure([set(crowd) <= set(found) for crowd, found in zip(crowds, read, strict=True)])


def draw(s: Subjects, prompts: list[str], seed: int) -> list[Image.Image]:
    """One picture a prompt by the base."""
    return generate_pictures(s.base, prompts, [seed + i for i in range(len(prompts))], STEPS, GUIDANCE)


def read_largest(s: Subjects, picture: Image.Image) -> dict[str, str] | None:
    """The highest-scoring toy's attributes, or None if none is found."""
    found = read_picture(s.judges, s.reader, picture)
    return found[0] if found else None


@torch.no_grad()
def measure_motion(s: Subjects, count: int = 120) -> Iterator[tuple[str, dict]]:
    """AnimateDiff on the base, in bfloat16: is the motion named the motion tracked? And how much less consistent are its clips than drawn ones?"""
    motions = [m for m in MOTIONS if m != "still"]
    net = unroll(build_animatediff(s.base, s.base.motion_adapter).unet)
    hits, generated, true, judged = [], [], [], []
    for i in range(count):
        motion = motions[i % len(motions)]
        scene = in_motion(sample_scene(SEED + 50_000 + i, count=1, collages=False), motion)
        toy = scene.toys[0]
        prompt = f"a {toy.colour} {toy.kind} {MOTIONS[motion]} {BACKGROUNDS[scene.background]}"
        with torch.autocast("cpu", torch.bfloat16):
            frames = generate_animatediff(
                s.base, net, embed_prompts(s.base, [prompt]), [SEED + i], CLIP_FRAMES, STEPS, GUIDANCE, fast=False
            )[0]
        clip = (frames.float() + 1) / 2
        hits.append(track_motion(s.judges, s.reader, clip) == motion)
        generated.append(temporal_consistency(s.judges, clip))
        drawn_clip = to_unit_array(draw_clip(scene))
        judged.append(track_motion(s.judges, s.reader, drawn_clip) == motion)
        true.append(temporal_consistency(s.judges, drawn_clip))
    yield "judge_motion", figure(judged)
    yield "draws_motion", figure(hits)
    yield "consistency_gap", figure(np.array(true) - np.array(generated))


@torch.no_grad()
def measure_own_motion(s: Subjects, count: int = 60) -> Iterator[tuple[str, dict]]:
    """Clips of two toys that are told to do different things: the share of toys that do theirs, in the base's clips and in drawn ones."""
    rng, own, drawn_ones = np.random.default_rng(SEED + 30), [], []
    net = unroll(build_animatediff(s.base, s.base.motion_adapter).unet)
    for i in range(count):
        toys, motions = choose_toys(rng, 2), [str(m) for m in rng.choice([m for m in MOTIONS if m != "still"], 2, replace=False)]
        said = join_names([f"a {c} {k} {MOTIONS[m]}" for (c, k), m in zip(toys, motions, strict=True)])
        scene = sample_scene(SEED + 60_000 + i, count=2, collages=False)
        told = {k: m for (_, k), m in zip(toys, motions, strict=True)}
        drawn_toys = [replace(t, kind=k, colour=c, motion=told[k]) for t, (c, k) in zip(scene.toys, toys, strict=True)]
        with torch.autocast("cpu", torch.bfloat16):
            embeds = embed_prompts(s.base, [f"{said} {BACKGROUNDS[scene.background]}"])
            frames = generate_animatediff(s.base, net, embeds, [SEED + i], CLIP_FRAMES, STEPS, GUIDANCE, fast=False)[0]
        own.append(action_binding(s.judges, s.reader, (frames.float() + 1) / 2, told))
        true = to_unit_array(draw_clip(replace(scene, toys=tuple(drawn_toys))))
        drawn_ones.append(action_binding(s.judges, s.reader, true, told))
    yield "judge_own_motion", figure(drawn_ones)
    yield "draws_own_motion", figure(own)


def measure_size(s: Subjects) -> Iterator[tuple[str, dict]]:
    """Megabytes of the folder."""
    size = sum(p.stat().st_size for p in s.folder.rglob("*.safetensors")) / 1e6
    yield "megabytes", {"value": round(size, 2), "n": 1, "ci95": [round(size, 2)] * 2}


MEASURES: dict[str, Callable[[Subjects], Iterator[tuple[str, dict]]]] = {
    "size": measure_size,
    "autoencoder": measure_autoencoder,
    "clip": measure_clip,
    "judges": measure_judges,
    "drawing": measure_drawing,
    "crowds": measure_crowds,
    "motion": measure_motion,
    "own_motion": measure_own_motion,
}


def measure_quality(folder: Path, parts: list[str]) -> dict[str, dict]:
    """Every figure of some of MEASURES, under its key."""
    subjects = load_subjects_of_measurement(folder)
    return {key: value for part in tqdm(parts, "quality") for key, value in MEASURES[part](subjects)}
