"""`make quality`: what the embedded base draws of one toy, of two, and of crowds, read by the judges."""

import time
from collections.abc import Iterator

import numpy as np
import torch

from vd_core.metrics.report import to_unit
from vd_core.metrics.stitch import has_seam
from vd_core.toybox.quality.measured import (
    SEED,
    Subjects,
    choose_toys,
    draw,
    figure,
    read_largest,
)
from vd_core.toybox.reading.reader import read_picture
from vd_core.toybox.world.scenes import BACKGROUNDS, COLOURS, KINDS, STITCH_PROMPT, join_names


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
