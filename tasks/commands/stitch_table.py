"""What the stitch score finds and misses: `python -m tasks.commands.stitch_table FOLDER` prints a table of drawn and of the folder's pictures.

FOLDER holds a folder of photographs for each subject, whole ones without seams: mixtures are of two or three subjects.
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image

from vd_core.inputs.bars import crop_bars
from vd_core.inputs.inspecting import inspect_pictures, use_all
from vd_core.inputs.mixing import mix_pictures
from vd_core.inputs.pictures import load_picture
from vd_core.metrics.stitch import has_seam
from vd_core.toybox.world.draw import SIZE, draw_scene
from vd_core.toybox.world.scenes import BACKGROUNDS, sample_scene

SIDE = 512
MANY, FEW = 300, 60
Pictures = list[np.ndarray]
Change = Callable[[np.ndarray], np.ndarray]


def crop_some(picture: Image.Image, rng: np.random.Generator, least: float = 0.6) -> Image.Image:
    """A square of `least` to all of the short side, mirrored or not, at SIDE x SIDE."""
    side = int(min(picture.size) * rng.uniform(least, 1))
    left, top = rng.integers(picture.width - side + 1), rng.integers(picture.height - side + 1)
    square = picture.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    return square.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < 0.5 else square


def mix(subjects: list[list[Image.Image]], count: int, number: int, rng: np.random.Generator) -> list[Pictures]:
    """`count` lists of crops, one of each of `number` subjects."""
    chosen = [rng.choice(len(subjects), number, replace=False) for _ in range(count)]
    return [[np.asarray(crop_some(subjects[s][rng.integers(len(subjects[s]))], rng)) for s in c] for c in chosen]


def side_by_side(pictures: Pictures) -> np.ndarray:
    """Eq. 6 of arrays."""
    return np.asarray(mix_pictures([Image.fromarray(p) for p in pictures], len(pictures[0])))


def stacked(pictures: Pictures) -> np.ndarray:
    """The same, one above the other."""
    return side_by_side([p.transpose(1, 0, 2) for p in pictures]).transpose(1, 0, 2)


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    """Through JPEG and back."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def h264(picture: np.ndarray, crf: int) -> np.ndarray:
    """Through an mp4 of one frame and back."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=8, options={"crf": str(crf)})
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def tilted(picture: np.ndarray, degrees: float) -> np.ndarray:
    """Turned about its middle, and cut to what a turn by 8 degrees leaves whole."""
    side = picture.shape[0]
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), degrees, 1.2)
    return cv2.warpAffine(picture, turn, (side, side), flags=cv2.INTER_LINEAR)


def blended(pictures: Pictures, width: int) -> np.ndarray:
    """Two pictures side by side that fade into each other over `width` pixels."""
    left, right = (cv2.resize(p, (SIDE // 2 + width, SIDE), interpolation=cv2.INTER_AREA).astype(float) for p in pictures[:2])
    ramp = np.clip((np.arange(SIDE) - (SIDE - width) / 2) / width, 0, 1)[:, None]
    first = np.pad(left, ((0, 0), (0, SIDE // 2 - width), (0, 0)), mode="edge")
    second = np.pad(right, ((0, 0), (SIDE // 2 - width, 0), (0, 0)), mode="edge")
    return (first * (1 - ramp) + second * ramp).astype(np.uint8)


def cut_at(pictures: Pictures, share: float) -> np.ndarray:
    """Two pictures side by side, the first as wide as `share` of the whole."""
    edge = round(share * SIDE)
    return np.hstack([cv2.resize(p, (w, SIDE), interpolation=cv2.INTER_AREA) for p, w in zip(pictures, (edge, SIDE - edge), strict=False)])


def barred(picture: np.ndarray, x: int, y: int, colour: int) -> np.ndarray:
    """Narrowed between bars `x` pixels wide at left and right and `y` high above and below, then through JPEG."""
    size = picture.shape[0]
    inner = cv2.resize(picture, (size - 2 * x, size - 2 * y), interpolation=cv2.INTER_AREA)
    return jpeg(cv2.copyMakeBorder(inner, y, y, x, x, cv2.BORDER_CONSTANT, value=(colour,) * 3), 90)


def horizon(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A plain sky over a plain sea, with the picture's noise."""
    sky, sea = rng.uniform(120, 255, 3), rng.uniform(20, 160, 3)
    smooth = np.where((np.arange(SIDE) < rng.uniform(0.3, 0.7) * SIDE)[:, None, None], sky, sea) + np.linspace(0, 40, SIDE)[:, None, None]
    noise = rng.normal(0, 3, picture.shape)
    return jpeg(np.clip(smooth + noise, 0, 255).astype(np.uint8), 90)


def door(picture: np.ndarray, rng: np.random.Generator, width: int, height: float) -> np.ndarray:
    """The picture with a door post `width` pixels wide, from the floor up to `height` of the picture."""
    left, top = int(rng.uniform(0.2, 0.7) * SIDE), round((1 - height) * SIDE)
    changed = picture.copy()
    changed[top:, left : left + width] = rng.uniform(20, 235, 3)
    return jpeg(changed, 90)


def changes() -> dict[str, Change]:
    """What is done to a picture that has a seam, or has none."""
    table: dict[str, Change] = {f"JPEG {q}": lambda p, q=q: jpeg(p, q) for q in (90, 50, 20)}
    table |= {f"mp4 crf {q}": lambda p, q=q: h264(p, q) for q in (12, 23, 35, 45)}
    table |= {f"contrast {c}": lambda p, c=c: (p * c + 128 * (1 - c)).astype(np.uint8) for c in (0.5, 0.25)}
    table |= {f"blur sigma {s}": lambda p, s=s: cv2.GaussianBlur(p, (0, 0), s) for s in (1, 2, 4)}
    table |= {f"tilt {d} degrees": lambda p, d=d: tilted(p, d) for d in (0, 0.5, 1, 2, 5)}
    table |= {f"white bars {x} x {y}": lambda p, x=x, y=y: barred(p, x, y, 255) for x, y in ((16, 0), (64, 0), (110, 0), (0, 64), (60, 60))}
    table |= {f"black bars {x} x {y}": lambda p, x=x, y=y: barred(p, x, y, 0) for x, y in ((16, 0), (64, 0), (110, 0), (0, 64), (60, 60))}
    return table


def layouts() -> dict[str, Callable[[Pictures], np.ndarray]]:
    """How two pictures or four become one."""
    table: dict[str, Callable[[Pictures], np.ndarray]] = {"one above the other": stacked}
    table["2 x 2"] = lambda four: stacked([side_by_side([four[0], four[1]]), side_by_side([four[-2], four[-1]])])
    table |= {f"blended over {w} px": lambda two, w=w: blended(two, w) for w in (8, 16, 32)}
    table |= {f"seam at {s}": lambda two, s=s: cut_at(two, s) for s in (0.1, 0.15, 0.3, 0.7)}
    return table


def draw(seed: int) -> np.ndarray:
    """A single drawn scene."""
    return draw_scene(sample_scene(seed, collages=False))[0]


def draw_one(rng: np.random.Generator, place: str) -> np.ndarray:
    """One toy alone, in `place`."""
    while True:
        scene = sample_scene(int(rng.integers(2**31)), 1, collages=False)
        if scene.background == place:
            return draw_scene(scene)[0]


def draw_ones(rng: np.random.Generator, number: int) -> Pictures:
    """`number` toys, each alone in a place of its own."""
    return [draw_one(rng, str(place)) for place in rng.choice(list(BACKGROUNDS), number, replace=False)]


def row(name: str, pictures: Pictures, seam: bool) -> None:
    """Print how many were misjudged, in Markdown."""
    found = sum(has_seam(np.ascontiguousarray(p)) for p in pictures)
    wrong = len(pictures) - found if seam else found
    print(f"| {name} | {len(pictures)} | {wrong} {'missed' if seam else 'false'} | {wrong / len(pictures):.1%} |", flush=True)


def main(folder: Path, seed: int = 0) -> None:
    """Print the table."""
    rng = np.random.default_rng(seed)
    folders = sorted(f for f in folder.iterdir() if f.is_dir())
    paths = use_all([inspect_pictures(f) for f in folders])
    subjects = [[crop_bars(load_picture(p)) for p in own] for own in paths]
    whole = [p for own in subjects for p in own]
    row("photographs as they are", [np.asarray(load_picture(p)) for own in paths for p in own], False)
    single = [np.asarray(crop_some(whole[i % len(whole)], rng)) for i in range(MANY)]
    many = mix(subjects, MANY, 2, rng)
    pairs, mixed = many[:FEW], [side_by_side(p) for p in many[:FEW]]
    row("photographs, crops", single, False)
    row("two mixed", [side_by_side(p) for p in many], True)
    row("three mixed", [side_by_side(p) for p in mix(subjects, MANY, 3, rng)], True)
    row("two of one subject mixed", [side_by_side(mix([own], 1, 1, rng)[0] + mix([own], 1, 1, rng)[0]) for own in subjects * 10], True)
    row("a picture and its mirror image", [side_by_side([p, p[:, ::-1]]) for p in single[:FEW]], True)
    for name, lay in layouts().items():
        row(name, [lay([*a, *b]) if name == "2 x 2" else lay(a) for a, b in zip(pairs, pairs[::-1], strict=True)], True)
    for name, change in changes().items():
        row(f"two mixed, {name}", [change(p) for p in mixed], True)
        row(f"crops, {name}", [change(p) for p in single[:FEW]], False)
    row("plain sky over plain sea", [horizon(p, rng) for p in single[:FEW]], False)
    row("a post 40 px wide, 60% high", [door(p, rng, 40, 0.6) for p in single[:FEW]], False)
    row("a post 40 px wide, as high as the picture", [door(p, rng, 40, 1.0) for p in single[:FEW]], False)
    drawn = [draw(seed + i) for i in range(10**6, 10**6 + 1000)]
    row(f"drawn scenes, {SIZE} px", drawn, False)
    for number in (2, 3):
        toys = [side_by_side(draw_ones(rng, number)) for _ in range(MANY)]
        row(f"{number} drawn ones mixed", toys, True)
        row(f"{number} drawn ones mixed, mp4 crf 23", [h264(p, 23) for p in toys], True)
    same = [side_by_side([draw_one(rng, place) for _ in range(2)]) for place in (*BACKGROUNDS,) * 4]
    row("2 drawn ones of one place mixed", same, True)
    row("2 drawn ones stacked", [stacked(draw_ones(rng, 2)) for _ in range(FEW)], True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
