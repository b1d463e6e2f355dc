"""What the server refuses, asked by hand: ways out of its folder, floods, foreign names and pages."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.app.served import StandIn, ask, serving, upload

pytest.importorskip("gradio", reason="the extra app (gradio) is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with serving([StandIn(tmp_path_factory.mktemp("stand_in"))]) as running:
        yield running


def test_nothing_outside_its_own_folder_is_served(server: Any, root: Path) -> None:
    own = server.folder
    status, told = upload(server, b"hello", name="../../../evil.txt")
    stored = Path(json.loads(told)[0])
    assert status == 200 and stored.is_relative_to(own) and not (own.parent / "evil.txt").exists()
    assert ask(server, "GET", f"/gradio_api/file={stored}") == (200, b"hello")
    secret = root / "README.md"
    for path in (
        secret, "/etc/passwd", f"{own}/../../etc/passwd", f"{own}/%2e%2e/%2e%2e/etc/passwd", "README.md",
        f"{own}/samples/..%2f..%2f..%2fetc/passwd", "file:///etc/passwd", "http://127.0.0.1:1/x",
    ):  # fmt: skip
        status, body = ask(server, "GET", f"/gradio_api/file={path}")
        assert status in (403, 404) and b"root:" not in body and b"# TalkVid" not in body, path


def test_two_uploads_of_one_name_are_two_files(server: Any) -> None:
    first, second = (json.loads(upload(server, content)[1])[0] for content in (b"one", b"two"))
    assert first != second and (Path(first).read_bytes(), Path(second).read_bytes()) == (b"one", b"two")


def test_oversized_uploads_and_foreign_names_are_refused_and_the_server_lives_on(server: Any) -> None:
    assert upload(server, b"x" * 900_000)[0] == 200
    assert upload(server, b"x" * 1_050_000)[0] == 413
    assert upload(server, b"x", Origin="http://evil.example")[0] == 403
    assert upload(server, b"x", Origin=server.url.rstrip("/"))[0] == 200
    assert ask(server, "GET", "/", Host="evil.example")[0] == 403
    assert ask(server, "GET", "/gradio_api/proxy=http://127.0.0.1/")[0] == 404
    assert ask(server, "GET", "/config")[0] == 200
