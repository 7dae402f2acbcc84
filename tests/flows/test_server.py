"""The Prefect server: what answers at an address, what cannot be started, and one that ends with all it started."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

import flows.server
from flows.processes import end_group, name_user, start_group
from flows.serve import server_at
from flows.server import connected, look, read_local_port, require_server, start_server
from tests.helpers.live import free_port, wait_for
from vd_core.errors import InputError

REPLIES = {"/prefect/health": (200, b"true"), "/html/health": (200, b"<html>"), "/locked/health": (401, b"")}


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        code, body = REPLIES.get(self.path, (404, b""))
        self.send_response(code)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def address() -> Iterator[str]:
    """A program that answers as REPLIES says."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_prefect_server_is_told_from_other_programs(address: str) -> None:
    """Whatever answered 200 was taken for Prefect: JSONDecodeError, exit 0."""
    assert [look(f"{address}/{kind}") for kind in ("prefect", "locked", "html", "none")] == ["prefect", "prefect", "other", "other"]
    assert look(f"http://127.0.0.1:{free_port()}/api") == "nothing"
    with pytest.raises(InputError, match="another program than Prefect answers"), server_at(f"{address}/html"):
        pass
    with pytest.raises(InputError, match="another program than Prefect answers"):
        require_server(f"{address}/none")


def test_no_server_where_the_settings_point(monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{free_port()}/api"
    with pytest.raises(InputError, match="no Prefect server answers at .*unset PREFECT_API_URL"):
        require_server(url)


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:4200/api", "http://127.0.0.1/api", "http://far.example:4200/api", "http://127.0.0.1:x/api"]
)
def test_what_serve_needs_is_said(url: str) -> None:
    """Without a port it was "too many values to unpack"."""
    with pytest.raises(InputError, match="none can be started there: start it, or set PREFECT_API_URL=http://127.0.0.1:4200/api"):
        read_local_port(url)
    assert read_local_port("http://localhost:4321/api") == 4321


def test_a_server_that_ends_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    broken = tmp_path / "broken"
    broken.write_text(f"#!{sys.executable}\nprint('database is locked')\nraise SystemExit(3)\n")
    broken.chmod(0o755)
    monkeypatch.setattr(flows.server.sys, "executable", str(broken))
    with pytest.raises(InputError, match=r"did not start \(database is locked\); its log is .cache/prefect-server.log"), connected():
        pass
    assert "trying again (2 of 3)" in capsys.readouterr().err


def test_a_slow_server_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.chdir(tmp_path)
    slow = tmp_path / "slow"
    serve = "ThreadingHTTPServer(('127.0.0.1', int(sys.argv[-1])), A).serve_forever()"
    answer = "class A(BaseHTTPRequestHandler):\n    def do_GET(self):\n        self.send_response(200)\n        self.end_headers()\n        self.wfile.write(b'true')\n"
    slow.write_text(f"#!{sys.executable}\nimport sys, time\nfrom http.server import *\n{answer}\ntime.sleep(1.5)\n{serve}\n")
    slow.chmod(0o755)
    monkeypatch.setattr(flows.server.sys, "executable", str(slow))
    monkeypatch.setattr(flows.server, "SAY_SECONDS", 0.5)
    server, url = start_server(free_port())
    assert look(url) == "prefect"
    end_group(server)
    assert look(url) == "nothing"
    assert "still starting Prefect's server" in capsys.readouterr().err


def test_a_group_ends_with_its_children_however_deaf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training lived on for minutes after its run was cancelled."""
    monkeypatch.setattr("flows.processes.END_SECONDS", 1.0)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    parent = f"import os, subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', {deaf!r}]); print(p.pid, flush=True); time.sleep(60)"
    process = start_group([sys.executable, "-c", parent], dict(os.environ), subprocess.PIPE)
    assert process.stdout is not None
    said = sorted([process.stdout.readline().strip(), process.stdout.readline().strip()])
    began = time.monotonic()
    end_group(process)
    assert time.monotonic() - began < 5
    wait_for(lambda: not is_alive(int(said[0])), 2, "the child is gone")


def is_alive(process: int) -> bool:
    """Whether a process runs; one that waits for its parent to notice its end does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_user_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container the user's number may have no name: KeyError, up to 591 lines."""

    def fail() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", fail)
    assert name_user() is None
