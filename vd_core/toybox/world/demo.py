"""The demo's own pictures: subjects of held-out identities, five pictures each, and a clip of a motion that the base has no word for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from vd_core.inputs.clips import save_video
from vd_core.toybox.world.draw import draw_scene
from vd_core.toybox.world.paths import draw_along, path_of
from vd_core.toybox.world.scenes import HELD_OUT, Scene, Toy, sample_scene

SEED = 900_000_000
SUBJECTS = {"dog": ("orange", "yellow", "plain"), "car": ("blue", "white", "plain")}
PICTURE_BACKGROUNDS = ("flowers", "city", "forest", "desert", "ocean")


def draw_subject(kind: str, identity: tuple[str, str, str], seed: int, count: int = 5, background: str | None = None) -> list[np.ndarray]:
    """`count` pictures of one still toy on different backgrounds, or all on one, uint8 `[64, 64, 3]` each. The identity must be held out."""
    if identity not in HELD_OUT:
        raise ValueError(f"{identity} is not held out: the base has seen it")
    pictures = []
    for i in range(count):
        toy = sample_scene(seed + i, count=1, collages=False).toys[0]
        colour, trim, pattern = identity
        toy = replace(toy, kind=kind, colour=colour, trim=trim, pattern=pattern, accessory=None, motion="still")
        place = background or PICTURE_BACKGROUNDS[(seed + i) % len(PICTURE_BACKGROUNDS)]
        pictures.append(draw_scene(Scene((toy,), place, seed + i))[0])
    return pictures


def write_demo(folder: Path) -> None:
    """Write `folder/<subject>/*.png`, `subject.yaml` and `motion.mp4`."""
    for s, (kind, identity) in enumerate(SUBJECTS.items()):
        own = folder / kind
        own.mkdir(parents=True, exist_ok=True)
        for i, picture in enumerate(draw_subject(kind, identity, SEED + 100 * s)):
            Image.fromarray(picture).save(own / f"{i}.png", optimize=True)
        (own / "subject.yaml").write_text(yaml.safe_dump({"class_noun": kind}))
    bear = Toy("bear", "red", "yellow", "plain", size=0.5, ground=0.9)
    clip = draw_along(Scene((bear,), "city", SEED + 999), path_of("circle"))
    save_video([Image.fromarray(frame) for frame in clip], folder / "motion.mp4", fps=8)
    (folder / "motion.gif").unlink()
