"""Pictures as text that a page or an artifact holds in itself."""

import base64
import io
from pathlib import Path

from PIL import Image

from vd_core.inputs.clips import enlarge

SMALL = 128
"""Pixels up to which a picture is kept without loss."""
GIF_SIDES = (256, 192, 128, 96, 64, 48)


def data_uri(content: bytes, kind: str) -> str:
    """Bytes as a data: URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def shrink(picture: Image.Image, side: int) -> Image.Image:
    """A picture whose sides are at most `side`; never enlarged."""
    shrunk = picture.convert("RGB")
    shrunk.thumbnail((side, side), Image.Resampling.LANCZOS)
    return shrunk


def embed_picture(picture: Image.Image, side: int) -> str:
    """A picture of at most `side` pixels as a data: URI, in WebP; small ones exactly."""
    encoded, shrunk = io.BytesIO(), shrink(picture, side)
    shrunk.save(encoded, "WEBP", lossless=max(shrunk.size) <= SMALL, quality=85)
    return data_uri(encoded.getvalue(), "image/webp")


def embed_file(path: Path, kind: str) -> str:
    """A file as a data: URI."""
    return data_uri(path.read_bytes(), kind)


def encode_gif(frames: list[Image.Image], side: int, fps: int) -> bytes:
    """A clip as a GIF of at most `side` pixels; small clips are enlarged first."""
    encoded, shrunk = io.BytesIO(), [shrink(enlarge(f), side) for f in frames]
    shrunk[0].save(encoded, "GIF", save_all=True, append_images=shrunk[1:], duration=round(1000 / fps), loop=0)
    return encoded.getvalue()


def encode_gifs(clips: list[list[Image.Image]], fps: int, most: int) -> list[bytes]:
    """Clips as GIFs of the largest of GIF_SIDES with which all of them as data: URIs are at most `most` bytes; as many first clips as fit the smallest."""
    gifs: list[bytes] = []
    for side in GIF_SIDES:
        gifs = [encode_gif(frames, side, fps) for frames in clips]
        if sum(map(text_length, gifs)) <= most:
            return gifs
    while sum(map(text_length, gifs)) > most:
        gifs.pop()
    return gifs


def text_length(content: bytes) -> int:
    """The characters that bytes take in base64."""
    return -(-len(content) // 3) * 4
