"""One picture file of any kind that people have, into an upright RGB picture, or an error of one line."""

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps
from pillow_heif import register_heif_opener

from vd_core.errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "AVIF", "HEIF")
"""What Pillow may take a file for, whatever its ending: none of these runs another program."""
SMALLEST_SIDE = 16
READ_SIDE = 2048  # larger pictures are reduced by a whole factor, as long as both sides stay at least this long; JPEGs while they are read
MOST_PIXELS = 250_000_000  # of a file: a phone's 200 megapixels
MOST_READ_PIXELS = 100_000_000  # in memory, after the reduction of a JPEG
RANGES = (1, 255, 65535)
"""What is white in pictures of floats and of 32-bit integers: the first that is not below the largest value."""
MANY_VIEWS = ("MPO", "HEIF")  # files of one photograph that hold more pictures than that: depth, gain, a preview
ON_WHITE = "transparent parts are put on white"
FIRST_ONLY = "only the first of its pictures is used"
BROKEN = (OSError, EOFError, SyntaxError, ValueError, RuntimeError, TypeError, LookupError, OverflowError, struct.error)
"""What Pillow's readers raise on broken bytes."""


@dataclass(frozen=True)
class Read:
    """An upright RGB picture, and what a person should know of how it was read."""

    picture: Image.Image
    notes: tuple[str, ...]


def read_picture(path: Path) -> Read:
    """One picture; InputError if it is a link, no file, not readable, too large or too small."""
    check_plain_file(path)
    try:
        with pixels_allowed(), Image.open(path, formats=known_formats()) as file:
            read = convert(file, path)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"{path} has too many pixels; shrink it below {MOST_READ_PIXELS:,} or remove it") from None
    except InputError:
        raise
    except BROKEN as error:
        raise InputError(f"{path} is not a readable picture ({type(error).__name__}); replace or remove it") from None
    width, height = read.picture.size
    if min(width, height) < SMALLEST_SIDE:
        raise InputError(f"{path} is {width} x {height}; at least {SMALLEST_SIDE} x {SMALLEST_SIDE} is needed: replace or remove it")
    factor = min(width, height) // READ_SIDE
    return Read(read.picture.reduce(factor), read.notes) if factor > 1 else read


def check_plain_file(path: Path) -> None:
    """InputError for links, of which DVC would not notice a change, for devices, which may never end, and for empty files."""
    if path.is_symlink() or not path.is_file():
        raise InputError(f"{path} is a link or a device; put the file itself there")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty; copy it again or remove it")


@cache
def known_formats() -> tuple[str, ...]:
    """Those of FORMATS that this Pillow reads; it learns HEIC here, at the first picture."""
    Image.init()
    register_heif_opener()
    return tuple(f for f in FORMATS if f in Image.OPEN)


@contextmanager
def pixels_allowed() -> Iterator[None]:
    """Let Pillow open up to MOST_PIXELS, and raise above."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def convert(file: Image.Image, path: Path) -> Read:
    """An opened file as an upright RGB picture in sRGB."""
    file.draft(None, (READ_SIDE, READ_SIDE))
    if file.width * file.height > MOST_READ_PIXELS:
        raise InputError(f"{path} is {file.width} x {file.height}; shrink it below {MOST_READ_PIXELS:,} pixels or remove it")
    notes = [FIRST_ONLY] if getattr(file, "n_frames", 1) > 1 and file.format not in MANY_VIEWS else []
    ImageOps.exif_transpose(file, in_place=True)
    if file.mode == "F" or file.mode.startswith("I"):
        return Read(wide_grey(file, path).convert("RGB"), tuple(notes))
    if file.has_transparency_data:
        picture, transparent = flatten(file)
        return Read(picture, (*notes, ON_WHITE) if transparent else tuple(notes))
    return Read(to_srgb(file), tuple(notes))


def flatten(picture: Image.Image) -> tuple[Image.Image, bool]:
    """A picture with transparency on white, and whether any of it was transparent: what lies under alpha 0 is often rubbish."""
    layers = picture.convert("RGBA")
    ground = Image.new("RGBA", layers.size, "white")
    return Image.alpha_composite(ground, layers).convert("RGB"), layers.getchannel("A").histogram()[255] < layers.width * layers.height


def wide_grey(picture: Image.Image, path: Path) -> Image.Image:
    """16-bit, 32-bit or float greys as 8-bit ones; 16 bits are scaled by their full range, the others by the range that they use."""
    values = np.asarray(picture).astype(np.float32)
    white = 65535 if picture.mode.startswith("I;16") else next((r for r in RANGES if values.max() <= r), None)
    if white is None or not values.min() >= 0:
        raise InputError(f"{path} has greys from {values.min():g} to {values.max():g}; save it with 8 or 16 bits, or remove it")
    return Image.fromarray((values * (255 / white)).round().astype(np.uint8))


def to_srgb(picture: Image.Image) -> Image.Image:
    """The picture's colors in sRGB by its own profile: phones write Display P3, whose numbers read as sRGB are too pale."""
    profile = picture.info.get("icc_profile")
    if profile and picture.mode in ("RGB", "CMYK"):
        try:
            return ImageCms.profileToProfile(picture, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError):  # a broken profile says nothing of the picture
            pass
    return picture.convert("RGB")
