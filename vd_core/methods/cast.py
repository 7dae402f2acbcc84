"""What a base itself draws for the copies of a reference clip: things to move, and the places without them."""

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from vd_core.bases.stable_diffusion import Base
from vd_core.generation.pictures import generate_pictures
from vd_core.inputs.copies import Cast
from vd_core.inputs.cutouts import cut_out, empty_place
from vd_core.metrics.fidelity import detect
from vd_core.metrics.judges import Judges
from vd_core.metrics.nouns import known_noun
from vd_core.seeds import seed_for
from vd_core.settings import Sampling

Find = Callable[[np.ndarray, str | None], np.ndarray]
"""The boxes `[n, 4]` in a picture `[h, w, 3]` of uint8, surest first: of a noun, or of everything."""


def find_with(judges: Judges) -> Find:
    """A finder: the judges' detections."""

    def find(picture: np.ndarray, noun: str | None) -> np.ndarray:
        found = detect(judges, torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255)[0]
        known = known_noun(judges.labels, noun) if noun else None
        named = [i for i, label in enumerate(found["labels"].tolist()) if known is None or judges.labels[label] == known]
        return found["boxes"][named].cpu().numpy().reshape(-1, 4)

    return find


def draw_cast(base: Base, find: Find, nouns: list[str], places: tuple[str, ...], pictures: int, sampling: Sampling, seed: int) -> Cast:
    """`pictures` of each noun, at each place in turn; of those that show it once, the thing cut out, and the place without it if nothing else stands there."""
    actors, empty = {}, {}
    for noun in nouns:
        where = [places[i % len(places)] for i in range(pictures)]
        seeds = [seed_for("cast", seed, noun, i) for i in range(pictures)]
        drawn = generate_pictures(base, [f"a {noun} {w}" for w in where], seeds, sampling.num_inference_steps, sampling.guidance_scale)
        for picture, place in zip(drawn, where, strict=True):
            take(np.array(picture), noun, place, find, actors, empty)
    return Cast(actors, empty)


def take(picture: np.ndarray, noun: str, place: str, find: Find, actors: dict, empty: dict) -> None:
    """Put what a picture is good for into `actors` and `empty`."""
    boxes = find(picture, noun)
    if len(boxes) != 1:
        return
    actors.setdefault(noun, []).append(cut_out(picture, boxes[0]))
    left = empty_place(picture, find(picture, None))
    if not len(find(left, None)):
        empty.setdefault(place, []).append(left)


def show_cast(cast: Cast, side: int) -> list[list[Image.Image]]:
    """Rows of a contact sheet: the first eight things of each noun on white, and of each place."""
    white = Image.new("RGB", (side, side), "white")
    rows = []
    for actors in cast.actors.values():
        row = [white.copy() for _ in actors[:8]]
        for cell, actor in zip(row, actors, strict=False):
            picture = Image.fromarray(actor)
            picture.thumbnail((side, side))
            cell.paste(picture, mask=picture)
        rows.append(row)
    return rows + [[Image.fromarray(p) for p in pictures[:8]] for pictures in cast.places.values()]
