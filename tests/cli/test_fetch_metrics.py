"""`talkvid models fetch syncnet` and the like, against a server on this machine."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from talkvid.cli.fetch_metrics import NAMES
from talkvid.cli.main import run_verb
from talkvid.evaluation.syncnet_weights import REMEDY
from talkvid.evaluation.weight_files import SYNCNET

WEIGHTS = b"features" * 1000
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(WEIGHTS)))
        self.end_headers()
        self.wfile.write(WEIGHTS)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/syncnet_v2.model"
        server.shutdown()


def test_the_licence_is_shown_and_the_file_fetched_once(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["fetch", "syncnet", "--folder", str(tmp_path), "--url", address, "--sha256", DIGEST]
    assert run_verb("models", arguments) == 0
    target = tmp_path / "evaluation" / "syncnet_v2.model"
    assert target.read_bytes() == WEIGHTS
    told = [f"syncnet_v2.model: licence: {SYNCNET.licence}", str(target)]
    assert capsys.readouterr().out.splitlines() == told
    assert run_verb("models", [*arguments[:5], "http://127.0.0.1:9/gone"]) == 0
    assert capsys.readouterr().out.splitlines() == told


def test_a_file_of_another_checksum_than_recorded_is_not_kept(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb("models", ["fetch", "syncnet", "--folder", str(tmp_path), "--url", address]) == 2
    message = capsys.readouterr().err
    assert SYNCNET.sha256 in message and f"--sha256 {DIGEST}" in message
    assert not list((tmp_path / "evaluation").iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_every_name_can_be_listed_with_its_licence(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_verb("models", ["fetch", name, "--folder", str(tmp_path), "--list"]) == 0
    licence, place = capsys.readouterr().out.splitlines()
    assert ": licence: " in licence and place.endswith(" (to fetch)")
    assert not list(tmp_path.iterdir())


def test_the_command_that_the_metric_names_is_one_of_them() -> None:
    assert REMEDY.split("models fetch ")[1].rstrip("`") in NAMES
