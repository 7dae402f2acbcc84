"""A data set's pictures onto the user's machine: one zip over https, and out of it only the pictures that are wanted."""

import io
import os
import re
import shutil
from collections.abc import Callable
from http.client import HTTPException, HTTPMessage
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener
from zipfile import BadZipFile, ZipFile, ZipInfo

import yaml
from PIL import Image, UnidentifiedImageError

from vd_core.errors import InputError
from vd_core.files import replacing

SECONDS = 30
CHUNK = 1 << 20
MOST_ARCHIVE = 500 << 20
"""Bytes of an archive."""
MOST_PICTURE = 30 << 20
FEWEST, MOST = 3, 5
"""Pictures of a subject; where there are more, the first by name are taken."""
PICTURE = re.compile(r"[A-Za-z0-9][\w. -]*\.(jpg|jpeg|png)", re.IGNORECASE)


class HttpsRedirects(HTTPRedirectHandler):
    """Follows redirects to https alone."""

    def redirect_request(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str) -> Request | None:
        require_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def require_https(url: str) -> None:
    """InputError if a URL is none of https."""
    if urlsplit(url).scheme != "https":
        raise InputError(f"{url} is not https; nothing is fetched from there")


def download(url: str, target: Path, most: int = MOST_ARCHIVE, told: Callable[[int], object] = lambda count: None) -> None:
    """Fetch a file of at most `most` bytes over https into `target`, which appears when it is whole; `told` hears how many bytes have come."""
    require_https(url)
    host = urlsplit(url).hostname
    try:
        with build_opener(HttpsRedirects).open(url, timeout=SECONDS) as reply, replacing(target) as aside, aside.open("wb") as file:
            size = 0
            while chunk := reply.read(CHUNK):
                size += len(chunk)
                if size > most:
                    raise InputError(f"{url} is larger than {most >> 20} MB; it is not what it was, and is not kept")
                file.write(chunk)
                told(len(chunk))
            if reply.length:  # http.client's: bytes that were announced and did not come
                raise InputError(f"{host} sent {size} bytes of {url} and stopped; run this again")
    except InputError:
        raise
    except (OSError, HTTPException, ValueError) as error:
        raise InputError(f"{url} cannot be fetched ({error}); check the network") from error


def unpack(archive: Path, root: str, folder: str, class_noun: str, target: Path) -> int:
    """Write the pictures of `root/folder` in a zip, at any depth, and a subject.yaml into the new folder `target`; the number of pictures.

    Names are the pictures' own, without any folder; `target` appears when it is whole. InputError if there are too few, or one is no picture.
    """
    aside = target.with_name(f".{target.name}.new")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        with ZipFile(archive) as packed:
            found = sorted((i for i in packed.infolist() if is_wanted(i, root, folder)), key=lambda i: i.filename)[:MOST]
            for info in found:
                (aside / PurePosixPath(info.filename).name).write_bytes(read_picture(packed, info))
        if len(found) < FEWEST:
            counted = f"{len(found)} pictures of {root}/{folder}, and {FEWEST} are needed"
            raise InputError(f"{archive} has {counted}; take the archive that the edition names")
        (aside / "subject.yaml").write_text(yaml.safe_dump({"class_noun": class_noun}))
        os.replace(aside, target)
    except (BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise InputError(f"{archive} cannot be unpacked ({error}); remove it and fetch it again") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return len(found)


def is_wanted(info: ZipInfo, root: str, folder: str) -> bool:
    """Whether a zip's entry is a picture that lies directly in `root/folder`."""
    *_, above, own, name = ("", "", *PurePosixPath(info.filename).parts)
    return (above, own) == (root, folder) and PICTURE.fullmatch(name) is not None


def read_picture(packed: ZipFile, info: ZipInfo) -> bytes:
    """One picture's bytes; InputError if they are too many, or no picture."""
    with packed.open(info) as file:
        content = file.read(MOST_PICTURE + 1)
    if len(content) > MOST_PICTURE:
        raise InputError(f"{info.filename} is larger than {MOST_PICTURE >> 20} MB; it is not kept")
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as picture:
            picture.verify()
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{info.filename} is no picture ({error})") from error
    return content
