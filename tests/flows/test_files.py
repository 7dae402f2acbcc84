"""`make serve` serves the files of runs/: to this machine alone, read only, and nothing beside them."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from flows.artifacts import FILES_URL
from flows.files import build_app, served_files


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder of runs with a secret beside it, and links to that."""
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/secret.txt").write_text("secret")
    runs = tmp_path / "runs"
    (runs / "toys/export").mkdir(parents=True)
    (runs / "toys/export/index.html").write_text("<p>page")
    (runs / "toys/out.txt").symlink_to(tmp_path / "secret.txt")
    (runs / "toys/data").symlink_to(tmp_path / "data")
    return runs


def test_files_are_served_and_nothing_beside_them(runs: Path) -> None:
    client = TestClient(build_app(runs), base_url="http://127.0.0.1:4201")
    page = client.get("/toys/export/index.html")
    assert (page.status_code, page.text) == (200, "<p>page") and page.headers["content-type"].startswith("text/html")
    outside = ("/../secret.txt", "/%2e%2e/secret.txt", "/toys/%2e%2e/%2e%2e/secret.txt", "/toys/out.txt", "/toys/data/secret.txt")
    assert [client.get(path).status_code for path in outside] == [404] * len(outside)
    assert [client.get(path).status_code for path in ("/", "/toys", "/toys/", "/toys/export/")] == [404] * 4  # no listing
    assert {client.request(method, "/toys/export/index.html").status_code for method in ("PUT", "POST", "DELETE")} == {405}


def test_a_page_from_elsewhere_cannot_read_under_its_own_name(runs: Path) -> None:
    """A name that another page has pointed at 127.0.0.1."""
    assert TestClient(build_app(runs), base_url="http://evil.example").get("/toys/export/index.html").status_code == 400
    assert TestClient(build_app(runs), base_url="http://localhost:4201").get("/toys/export/index.html").status_code == 200


def test_the_server_answers_on_this_machine_alone_and_ends_with_the_block(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", str(root))
    monkeypatch.chdir(runs.parent)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with served_files(taken) as environment:
            assert environment[FILES_URL] != f"http://127.0.0.1:{taken}"
    with served_files(taken) as environment:
        url, deadline = environment[FILES_URL], time.monotonic() + 60
        assert url == f"http://127.0.0.1:{taken}"
        while True:
            try:
                assert httpx.get(f"{url}/toys/export/index.html").text == "<p>page"
                break
            except httpx.ConnectError:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        listening = subprocess.run([sys.executable, "-c", LISTENING, url.rsplit(":", 1)[1]], capture_output=True, text=True, check=True)
        assert listening.stdout.split() == ["0100007F"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


LISTENING = """
import sys
from pathlib import Path
rows = [line.split()[1:4] for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
print(*[local.split(":")[0] for local, _, state in rows if state == "0A" and int(local.split(":")[1], 16) == int(sys.argv[1])])
"""
