"""Pictures as phones, scanners, drawing programs and the web leave them."""

import io
import struct
import unicodedata
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms
from pillow_heif import from_pillow

from tests.helpers.memory import peak_of
from vd_core.errors import InputError
from vd_core.inputs.decoding import FIRST_ONLY, ON_WHITE, READ_SIDE, read_picture

ORANGE, BLUE = (240, 120, 40), (40, 80, 200)


def two_halves(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Orange on the left, blue on the right."""
    picture = Image.new("RGB", size, ORANGE)
    picture.paste(BLUE, (size[0] // 2, 0, *size))
    return picture


def is_close(picture: Image.Image, wanted: Image.Image, within: float = 8) -> bool:
    """Whether two pictures are one, up to a codec's loss at their edges."""
    difference = np.abs(np.asarray(picture, dtype=float) - np.asarray(wanted, dtype=float))
    return picture.mode == "RGB" and picture.size == wanted.size and difference.mean() < within


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.bmp", "a.gif", "a.tiff", "a.avif", "a.heic"])
def test_every_kind_in_any_case_and_under_any_name(name: str, tmp_path: Path) -> None:
    """Four HEIC photographs of five were left out without a word."""
    write(two_halves(), tmp_path / name)
    for other in (name.upper(), f"Ü 🐶 {name}", unicodedata.normalize("NFD", f"é{name}")):
        (tmp_path / other).write_bytes((tmp_path / name).read_bytes())
        read = read_picture(tmp_path / other)
        assert is_close(read.picture, two_halves()) and not read.notes


def write(picture: Image.Image, path: Path) -> Path:
    """A picture in the format of its ending."""
    from_pillow(picture).save(path, quality=90) if path.suffix == ".heic" else picture.save(path)
    return path


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tiff"])
def test_the_first_of_several_pictures(name: str, tmp_path: Path) -> None:
    others = [Image.new("RGB", (64, 48), c) for c in ("white", "black")]
    two_halves().save(tmp_path / name, save_all=True, append_images=others)
    read = read_picture(tmp_path / name)
    assert is_close(read.picture, two_halves()) and read.notes == (FIRST_ONLY,)


def test_a_phones_photograph_with_a_second_view_is_one_picture(tmp_path: Path) -> None:
    two_halves().save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[Image.new("RGB", (64, 48))])
    read = read_picture(tmp_path / "a.jpg")
    assert is_close(read.picture, two_halves()) and not read.notes


def test_what_lies_under_transparency_is_not_seen(tmp_path: Path) -> None:
    """A cut-out's rubbish under alpha 0 was trained on."""
    rubbish = np.random.default_rng(0).integers(0, 256, (40, 60, 4), dtype=np.uint8)
    rubbish[..., 3] = 0
    rubbish[10:30, 10:30] = (*ORANGE, 255)
    wanted = Image.new("RGB", (60, 40), "white")
    wanted.paste(ORANGE, (10, 10, 30, 30))
    whole = Image.fromarray(rubbish)
    for name, picture in {"a.png": whole, "a.webp": whole, "a.tiff": whole, "la.png": whole.convert("LA")}.items():
        picture.save(tmp_path / name, lossless=True)
        read = read_picture(tmp_path / name)
        assert is_close(read.picture, wanted.convert("L").convert("RGB") if name == "la.png" else wanted, 0.5) and read.notes == (ON_WHITE,)
    from_pillow(whole).save(tmp_path / "a.heic", quality=-1)
    assert is_close(read_picture(tmp_path / "a.heic").picture, wanted, 3)


def test_a_palettes_transparent_color(tmp_path: Path) -> None:
    palette = two_halves().quantize(2)
    left = palette.getpixel((0, 0))
    palette.save(tmp_path / "a.png", transparency=left)
    palette.save(tmp_path / "a.gif", transparency=left)
    for name in ("a.png", "a.gif"):
        picture = read_picture(tmp_path / name).picture
        assert picture.getpixel((0, 0)) == (255, 255, 255) and picture.getpixel((63, 0)) == BLUE


def test_an_alpha_that_hides_nothing_is_not_worth_a_word(tmp_path: Path) -> None:
    two_halves().convert("RGBA").save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").notes == ()


def test_sixteen_bits_keep_their_greys_and_colors(tmp_path: Path) -> None:
    """Greys of 16 bits came out all white."""
    ramp = np.linspace(0, 65535, 64).round().astype(np.uint16)[None].repeat(32, 0)
    eight = Image.fromarray((ramp / 257).round().astype(np.uint8)).convert("RGB")
    for name in ("a.png", "a.tiff"):
        cv2.imwrite(str(tmp_path / name), ramp)
        assert is_close(read_picture(tmp_path / name).picture, eight, 0.6)
        cv2.imwrite(str(tmp_path / f"rgb.{name}"), np.stack([ramp[:, ::-1], ramp, ramp], axis=-1))  # BGR
        red, _, blue = read_picture(tmp_path / f"rgb.{name}").picture.split()
        assert red.getextrema() == blue.getextrema() == (0, 255) and red.getpixel((0, 0)) == 0 and blue.getpixel((0, 0)) == 255


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_floats_by_the_range_that_they_use(white: float, tmp_path: Path) -> None:
    ramp = np.linspace(0, white, 64, dtype=np.float32)[None].repeat(32, 0)
    Image.fromarray(ramp).save(tmp_path / "a.tiff")
    grey = np.asarray(read_picture(tmp_path / "a.tiff").picture)[0, :, 0]
    assert np.abs(grey - np.linspace(0, 255, 64)).max() < 1
    Image.fromarray(-ramp).save(tmp_path / "b.tiff")
    with pytest.raises(InputError, match=r"b\.tiff has greys from -"):
        read_picture(tmp_path / "b.tiff")


@pytest.mark.parametrize("name", ["a.jpg", "a.tiff"])
def test_ink_colors(name: str, tmp_path: Path) -> None:
    two_halves().convert("CMYK").save(tmp_path / name, quality=95)
    assert is_close(read_picture(tmp_path / name).picture, two_halves(), 8)


def test_a_profile_names_the_colors(tmp_path: Path) -> None:
    """A profile whose red is sRGB's blue, and the other way around."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    two_halves().save(tmp_path / "a.png", icc_profile=bytes(profile))
    two_halves().save(tmp_path / "b.png", icc_profile=b"broken")
    r, g, b = two_halves().split()
    assert is_close(read_picture(tmp_path / "a.png").picture, Image.merge("RGB", (b, g, r)), 3)
    assert is_close(read_picture(tmp_path / "b.png").picture, two_halves(), 0.5)


@pytest.mark.parametrize("name", ["a.jpg", "a.avif", "a.webp", "a.png", "a.tiff"])
def test_turned_photographs_stand_upright(name: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter to the right
    two_halves().save(tmp_path / name, exif=exif)
    assert is_close(read_picture(tmp_path / name).picture, two_halves().transpose(Image.Transpose.ROTATE_270))


def test_turned_heic_stands_upright(tmp_path: Path) -> None:
    """HEIC says how it is turned in a box of its own, and EXIF repeats it; the encoder here writes no such box."""
    square = two_halves((64, 64))
    from_pillow(square).save(tmp_path / "a.heic", quality=90)
    data = (tmp_path / "a.heic").read_bytes()
    start = data.index(b"pixi")  # the bits of a channel, which are not needed
    size = int.from_bytes(data[start - 4 : start], "big")
    (tmp_path / "a.heic").write_bytes(data[:start] + b"irot\x03".ljust(size - 4, b"\0") + data[start + size - 4 :])
    assert is_close(read_picture(tmp_path / "a.heic").picture, square.transpose(Image.Transpose.ROTATE_270))


@pytest.mark.parametrize(("size", "most"), [((9000, 6700), 150), ((16320, 12240), 250)])
def test_large_photographs_take_little_memory(size: tuple[int, int], most: int, tmp_path: Path) -> None:
    """60 and 200 megapixels are 181 and 599 MB once decoded."""
    two_halves(size).save(tmp_path / "a.jpg")
    picture, peak = peak_of(
        f"read_picture(Path({str(tmp_path / 'a.jpg')!r})).picture.size", "from vd_core.inputs.decoding import read_picture"
    )
    assert min(picture) >= READ_SIDE and peak < most


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_large_pictures_are_reduced(name: str, tmp_path: Path) -> None:
    two_halves((5000, 4200)).save(tmp_path / name)
    assert is_close(read_picture(tmp_path / name).picture, two_halves((2500, 2100)))


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)


def cut_off(picture: Image.Image, kind: str) -> bytes:
    """The first half of a picture's file."""
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()[: len(file.getvalue()) // 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"not a picture", "is not a readable picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n", "is not a readable picture"),
        (cut_off(Image.effect_noise((64, 64), 50), "PNG"), "is not a readable picture"),
        (cut_off(Image.effect_noise((64, 64), 50), "JPEG"), "is not a readable picture"),
        (cut_off(Image.effect_noise((64, 64), 50), "WEBP"), "is not a readable picture"),
        (cut_off(Image.effect_noise((64, 64), 50), "TIFF"), "is not a readable picture"),
        (png_header(11_000, 11_000), "is 11000 x 11000; shrink it below 100,000,000 pixels"),
        (png_header(60_000, 60_000), "has too many pixels"),
        (png_header(1, 1), "is 1 x 1; at least 16 x 16"),
    ],
)
def test_refused_in_one_line(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.jpg {message}") as caught:
        read_picture(tmp_path / "a.jpg")
    assert "\n" not in str(caught.value)
