"""A seam is found where two pictures meet; a tail, a bar, a horizon or a drawn scene is none. Bars are cropped, and nothing else is."""

import io
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from vd_core.inputs.bars import crop_bars
from vd_core.inputs.mixing import mix_pictures
from vd_core.inputs.pictures import load_square
from vd_core.metrics.stitch import has_seam, seam_strength, stitch_score
from vd_core.toybox.world.draw import draw_scene
from vd_core.toybox.world.scenes import sample_scene


def photograph(seed: int, side: int = 256) -> np.ndarray:
    """Smooth noise with some grain stands for a photograph."""
    rng = np.random.default_rng(seed)
    smooth = cv2.resize(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8), (side, side), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + rng.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)


def mixed(pictures: list[np.ndarray]) -> np.ndarray:
    return np.asarray(mix_pictures([Image.fromarray(p) for p in pictures], len(pictures[0])))


def scenes(first: int, count: int, places: int = 1) -> list[list[np.ndarray]]:
    """`count` lists of drawn scenes of one toy, `places` in each, no two neighbours in one place."""
    lists, seed = [], first
    while len(lists) < count:
        chosen = [sample_scene(seed + i, 1, collages=False) for i in range(places)]
        seed += places
        if len({s.background for s in chosen}) == places:
            lists.append([draw_scene(s)[0] for s in chosen])
    return lists


def barred(
    picture: np.ndarray, top: int, bottom: int, left: int, right: int, colour: tuple[int, int, int], quality: int = 85
) -> np.ndarray:
    """The picture with bars, after JPEG."""
    file = io.BytesIO()
    Image.fromarray(cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=colour)).save(
        file, "JPEG", quality=quality
    )
    return np.asarray(Image.open(file))


@pytest.mark.parametrize("number", [2, 3])
def test_mixed_toys_are_found(number: int) -> None:
    assert stitch_score([mixed(p) for p in scenes(50_000, 60, number)]) >= 0.98


def test_drawn_single_scenes_are_not_found() -> None:
    drawn = [draw_scene(sample_scene(seed, collages=False))[0] for seed in range(60_000, 60_300)]
    assert stitch_score(drawn) <= 0.01


@pytest.mark.parametrize("upright", [True, False])
def test_mixed_photographs_are_found_side_by_side_and_stacked(upright: bool) -> None:
    pairs = [mixed([photograph(2 * i), photograph(2 * i + 1)]) for i in range(30)]
    assert stitch_score(pairs if upright else [p.transpose(1, 0, 2) for p in pairs]) >= 0.95
    assert stitch_score([photograph(i) for i in range(60)]) == 0


def test_strength_hardly_depends_on_contrast_and_is_high_for_two_flat_halves() -> None:
    picture = mixed([photograph(0), photograph(1)])
    faint = (picture * 0.4 + 70).astype(np.uint8)
    assert seam_strength(faint) == pytest.approx(seam_strength(picture), abs=0.1)
    halves = np.full((128, 128, 3), 40, np.uint8)
    halves[:, 64:] = 200
    halves[::7, ::5] += 30
    assert seam_strength(halves) > 0.8


def test_a_tail_or_a_stripe_is_not_a_seam() -> None:
    """Sharp edges over a fifth, half and three fifths of the height, and a thin line over the whole of it."""
    for top in (205, 128, 102):
        picture = photograph(3)
        picture[top:, 120:150] = (250, 250, 250)
        assert not has_seam(picture)
    picture = (0.3 * photograph(4) + 90).astype(np.uint8)
    picture[:, 100:104] = (20, 20, 20)
    assert not has_seam(picture)


def test_a_post_is_not_a_seam_though_it_is_as_high_as_the_picture() -> None:
    for i in range(10):
        picture = photograph(i)
        picture[:, 100:130] = (250, 240, 20)
        assert not has_seam(picture)


@pytest.mark.parametrize("quality", [50, 20])
def test_the_blocks_of_a_jpeg_are_no_seams(quality: int) -> None:
    blocky = [barred(photograph(i, 512), 0, 0, 0, 0, (0, 0, 0), quality) for i in range(10)]
    assert stitch_score(blocky) == 0


def test_a_horizon_is_not_a_seam() -> None:
    """Neither a smooth one nor a sharp one: its step is the same all along."""
    level = np.linspace(0, 1, 256)[:, None, None]
    noise = np.random.default_rng(0).normal(0, 3, (256, 256, 3))
    for ramp in (1 / (1 + np.exp(-(level - 0.5) * 20)), (level > 0.5)):
        picture = np.array([150, 190, 240]) * (1 - ramp) + np.array([60, 110, 90]) * ramp + 30 * level + noise
        assert not has_seam(np.clip(picture, 0, 255).astype(np.uint8))


def test_bars_are_no_seams_and_a_mixture_between_bars_is_still_found() -> None:
    sides = [(0, 0, 40, 40), (50, 50, 0, 0), (0, 0, 60, 0), (30, 30, 30, 30)]
    for i, bars in enumerate(sides):
        for colour in ((0, 0, 0), (255, 255, 255), (200, 30, 60)):
            assert seam_strength(barred(photograph(i), *bars, colour)) == pytest.approx(seam_strength(photograph(i)), abs=0.1)
            assert has_seam(barred(mixed([photograph(10 + i), photograph(20 + i)]), *bars, colour))


def test_mixtures_are_found_after_mp4() -> None:
    frames = [mixed([photograph(2 * i), photograph(2 * i + 1)]) for i in range(20)]
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=8, options={"crf": "30"})
        stream.width = stream.height = 256
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file) as container:
        decoded = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    assert len(decoded) == 20
    assert stitch_score(decoded) >= 0.95


@pytest.mark.parametrize("quality", [95, 75, 50])
@pytest.mark.parametrize("bars", [(0, 0, 40, 44), (50, 46, 0, 0), (0, 0, 60, 0), (0, 5, 0, 0), (30, 32, 28, 26), (36, 36, 36, 36)])
def test_bars_are_cropped_after_jpeg(bars: tuple[int, int, int, int], quality: int) -> None:
    for colour in ((0, 0, 0), (255, 255, 255), (230, 0, 200)):
        cropped = crop_bars(Image.fromarray(barred(photograph(7), *bars, colour, quality)))
        assert np.allclose(cropped.size, 256, atol=2)


def test_bars_of_two_colours_are_cropped() -> None:
    inner = cv2.copyMakeBorder(photograph(8), 20, 20, 0, 0, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    assert crop_bars(Image.fromarray(barred(inner, 0, 0, 30, 30, (255, 255, 255)))).size == pytest.approx((256, 256), abs=2)


def test_pictures_without_bars_stay_as_they_are(tmp_path: Path) -> None:
    studio = np.full((256, 256, 3), (235, 120, 40), np.uint8)
    cv2.circle(studio, (128, 150), 70, (90, 60, 30), -1)
    plain = np.full((256, 256, 3), 255, np.uint8)
    gradient = np.repeat(np.linspace(0, 255, 256).astype(np.uint8)[:, None, None], 256, 1).repeat(3, 2)
    drawn = [draw_scene(sample_scene(seed))[0] for seed in range(400)]
    for array in [studio, plain, gradient, photograph(1), *drawn]:
        picture = Image.fromarray(array)
        assert crop_bars(picture) is picture
    path = tmp_path / "0.png"
    Image.fromarray(drawn[0]).save(path)
    assert load_square(path, 64).tobytes() == drawn[0].tobytes()


def test_at_least_half_of_each_side_stays() -> None:
    band = barred(photograph(2)[:40], 108, 108, 0, 0, (0, 0, 0))
    assert crop_bars(Image.fromarray(band)).size == (256, 256)


def test_load_square_learns_no_bars(tmp_path: Path) -> None:
    Image.fromarray(barred(photograph(5), 0, 0, 45, 45, (0, 0, 0), 90)).save(tmp_path / "a.png")
    square = np.asarray(load_square(tmp_path / "a.png", 128))
    assert square.shape == (128, 128, 3)
    assert (square[:, :3].max(axis=2) > 30).mean() > 0.5


def test_a_collage_of_letterboxed_frames_is_judged() -> None:
    """Frames with bars inside a picture, pictures of few pixels and plain ones are answered, not refused."""
    frames = [barred(photograph(i)[64:192], 64, 64, 0, 0, (0, 0, 0)) for i in range(2)]
    assert has_seam(mixed(frames))
    for size in (16, 17, 33):
        assert not has_seam(np.full((size, size, 3), 128, np.uint8))
