"""A data set's archive from a played host, and what is taken out of it."""

import io
import stat
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pytest
import yaml
from PIL import Image

from tests.helpers.https import Host, play_host, write_certificate
from tests.helpers.pictures import noise_picture
from vd_core.errors import InputError
from vd_core.studies import fetching
from vd_core.studies.fetching import download, unpack


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def host(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host whose certificate is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with play_host(certificate) as played:
        yield played


def left(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_an_archive_is_fetched_through_a_redirect(host: Host, tmp_path: Path) -> None:
    """As github sends its archives from another host."""
    host.answers = {"/archive.zip": host.url("/real.zip"), "/real.zip": b"content" * 1000}
    counts: list[int] = []
    download(host.url("/archive.zip"), tmp_path / "a" / "x.zip", told=counts.append)
    assert (tmp_path / "a" / "x.zip").read_bytes() == b"content" * 1000 and sum(counts) == 7000
    assert left(tmp_path) == ["a/x.zip"]


@pytest.mark.parametrize("target", ["http://127.0.0.1:9/x", "file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_only_https_is_asked(host: Host, target: str, tmp_path: Path) -> None:
    host.answers = {"/archive.zip": target}
    for url in (target, host.url("/archive.zip")):
        with pytest.raises(InputError, match=f"{target}'? is not (https|allowed)"):
            download(url, tmp_path / "x.zip")
    assert left(tmp_path) == []


def test_a_host_that_nobody_vouches_for_is_not_read(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    host.answers = {"/archive.zip": b"content"}
    with pytest.raises(InputError, match="CERTIFICATE_VERIFY_FAILED"):
        download(host.url("/archive.zip"), tmp_path / "x.zip")
    assert not host.asked


def test_what_is_too_large_missing_or_cut_off_leaves_nothing(host: Host, tmp_path: Path) -> None:
    host.answers = {"/archive.zip": b"x" * (2 << 20)}
    with pytest.raises(InputError, match="is larger than 1 MB"):
        download(host.url("/archive.zip"), tmp_path / "x.zip", most=1 << 20)
    with pytest.raises(InputError, match="404.*check the network"):
        download(host.url("/other.zip"), tmp_path / "x.zip")
    host.announced = 3 << 20
    with pytest.raises(InputError, match="sent 2097152 bytes of .* and stopped; run this again"):
        download(host.url("/archive.zip"), tmp_path / "x.zip")
    assert left(tmp_path) == []


def as_jpeg(seed: int) -> bytes:
    content = io.BytesIO()
    noise_picture(seed, (16, 16)).save(content, "JPEG")
    return content.getvalue()


def pack(path: Path, entries: dict[str, bytes]) -> Path:
    with ZipFile(path, "w", ZIP_DEFLATED) as packed:
        for name, content in entries.items():
            packed.writestr(name, content)
    return path


PICTURES = {f"set-1234/dataset/cat/0{i}.jpg": as_jpeg(i) for i in range(4)}


def test_a_subjects_pictures_are_unpacked(tmp_path: Path) -> None:
    others = {"set-1234/dataset/cat2/00.jpg": as_jpeg(9), "set-1234/dataset/cat/notes.txt": b"x", "set-1234/cat/09.jpg": as_jpeg(8)}
    hidden = {"__MACOSX/dataset/cat/._00.jpg": b"x", "set-1234/dataset/cat/more/00.jpg": as_jpeg(7)}
    archive = pack(tmp_path / "a.zip", {**others, **hidden, **PICTURES})
    assert unpack(archive, "dataset", "cat", "cat", tmp_path / "data" / "cat") == 4
    assert left(tmp_path / "data") == [*(f"cat/0{i}.jpg" for i in range(4)), "cat/subject.yaml"]
    assert (tmp_path / "data/cat/02.jpg").read_bytes() == as_jpeg(2)
    assert yaml.safe_load((tmp_path / "data/cat/subject.yaml").read_text()) == {"class_noun": "cat"}


def test_of_many_pictures_the_first_are_taken(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", {f"dataset/cat/{i:02d}.jpg": as_jpeg(i) for i in reversed(range(9))})
    assert unpack(archive, "dataset", "cat", "cat", tmp_path / "cat") == 5
    assert left(tmp_path / "cat") == [*(f"0{i}.jpg" for i in range(5)), "subject.yaml"]


@pytest.mark.parametrize(
    "name", ["dataset/cat/../../../evil.jpg", "/dataset/cat/../evil.jpg", "dataset/cat/..", "dataset/cat/a\\..\\evil.jpg"]
)
def test_no_path_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", {**PICTURES, name: as_jpeg(5)})
    assert unpack(archive, "dataset", "cat", "cat", tmp_path / "data" / "cat") == 4
    assert {p.name for p in tmp_path.rglob("*.jpg")} == {f"0{i}.jpg" for i in range(4)}


def link(path: Path) -> Path:
    """An archive with a link to a file of the machine in a picture's place."""
    info = ZipInfo("dataset/cat/link.jpg")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with ZipFile(pack(path, PICTURES), "a") as packed:
        packed.writestr(info, "/etc/passwd")
    return path


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda p: pack(p, {"dataset/cat/00.jpg": as_jpeg(0), "dataset/cat/01.jpg": as_jpeg(1)}),
            "has 2 pictures of dataset/cat, and 3 are needed",
        ),
        (lambda p: pack(p, {**PICTURES, "dataset/cat/a.jpg": b"<html>"}), "dataset/cat/a.jpg is no picture"),
        (link, "dataset/cat/link.jpg is no picture"),
        (lambda p: pack(p, {**PICTURES, "dataset/cat/bomb.png": bytes(3 << 20)}), "bomb.png is larger than 1 MB"),
        (lambda p: p.write_bytes(b"no zip") and p, "cannot be unpacked"),
    ],
    ids=["few", "page", "link", "bomb", "no zip"],
)
def test_what_cannot_be_used_leaves_nothing(make: object, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "MOST_PICTURE", 1 << 20)
    archive = make(tmp_path / "a.zip")  # type: ignore[operator]
    with pytest.raises(InputError, match=said):
        unpack(archive, "dataset", "cat", "cat", tmp_path / "data" / "cat")
    assert left(tmp_path) == ["a.zip"] and not list((tmp_path / "data").iterdir())


def test_a_gif_that_calls_itself_jpg_is_no_picture(tmp_path: Path) -> None:
    """Only the readers of the two formats see what comes from elsewhere."""
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, "GIF")
    with pytest.raises(InputError, match="is no picture"):
        unpack(pack(tmp_path / "a.zip", {**PICTURES, "dataset/cat/a.jpg": content.getvalue()}), "dataset", "cat", "cat", tmp_path / "cat")
