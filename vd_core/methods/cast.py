"""What a base itself draws for the copies of a reference clip: things to move, and the places without them."""

import numpy as np
from PIL import Image

from vd_core.bases.stable_diffusion import Base
from vd_core.generation.pictures import generate_pictures
from vd_core.inputs.copies import Cast
from vd_core.inputs.cutouts import Find, cut_out, empty_place
from vd_core.seeds import seed_for
from vd_core.settings import Sampling


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
