"""`talkvid models fetch dover` against a server on this machine."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from talkvid.cli import fetch_dover
from talkvid.cli.main import run_verb

WEIGHTS = b"weights" * 1000
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/absent":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(WEIGHTS) + (5 if self.path == "/short" else 0)))
        self.end_headers()
        self.wfile.write(WEIGHTS)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_the_weights_are_fetched_once_and_the_next_command_is_told(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["fetch", "dover", "--folder", str(tmp_path), "--url", f"{address}/it", "--sha256", DIGEST]
    assert run_verb("models", arguments) == 0
    target = tmp_path / "dover" / "DOVER.pth"
    assert target.read_bytes() == WEIGHTS
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(target)
    assert lines[1].startswith(f"python -m talkvid.curation.dover_convert --checkpoint {target} ")
    assert run_verb("models", [*arguments[:-3], "http://127.0.0.1:9/gone"]) == 0  # nothing is fetched again


def test_a_file_of_another_checksum_is_not_kept(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb("models", ["fetch", "dover", "--folder", str(tmp_path), "--url", f"{address}/it"]) == 2
    message = capsys.readouterr().err
    assert fetch_dover.RECORDED_SHA256 in message and f"--sha256 {DIGEST}" in message
    assert not list((tmp_path / "dover").iterdir())


@pytest.mark.parametrize(
    ("path", "message"), [("/absent", "cannot be fetched"), ("/short", "broke off|cannot be fetched")]
)
def test_what_cannot_be_fetched_leaves_nothing(address: str, tmp_path: Path, path: str, message: str) -> None:
    with pytest.raises(OSError, match=message):
        fetch_dover.fetch(tmp_path, url=address + path, sha256=DIGEST)
    assert not list((tmp_path / "dover").iterdir())


def test_only_web_addresses_are_followed_and_a_list_fetches_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match="not a web address"):
        fetch_dover.fetch(tmp_path, url="file:///etc/passwd")
    assert run_verb("models", ["fetch", "dover", "--folder", str(tmp_path), "--list"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'dover' / 'DOVER.pth'} (to fetch)\n"
