"""Only what the page needs is answered; no path leads out, nothing large comes in or from elsewhere."""

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from talkvid.app.guard import Guard, host_name, is_plain_path

PAGE = (
    b'<html><meta property="og:url" content="https://gradio.app/" /><link rel="preconnect" '
    b'href="https://fonts.gstatic.com"><script src="https://cdn.example/x.js"></script>'
    b'<script src="./assets/own.js"></script></html>'
)


async def inner(scope: Any, receive: Any, send: Any) -> None:
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-length", b"%d" % len(PAGE))],
    }
    await send(start)
    await send({"type": "http.response.body", "body": PAGE[:50], "more_body": True})
    await send({"type": "http.response.body", "body": PAGE[50:]})


def ask(
    guard: Guard, path: str, method: str = "GET", **headers: str
) -> tuple[int, dict[bytes, bytes], bytes]:
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    told = {"host": "localhost:7860", **{name.replace("_", "-"): value for name, value in headers.items()}}
    pairs = [(name.encode(), value.encode()) for name, value in told.items()]
    scope = {"type": "http", "path": path, "method": method, "headers": pairs}
    asyncio.run(guard(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], dict(sent[0]["headers"]), body


@pytest.fixture
def guard() -> Guard:
    return Guard(inner, upload_bytes=5_000_000, hosts=frozenset({"localhost", "127.0.0.1"}))


def test_the_page_is_cleaned_of_what_names_other_machines_and_keeps_its_own(guard: Guard) -> None:
    status, headers, body = ask(guard, "/")
    assert status == 200 and b"https://" not in body and b"./assets/own.js" in body
    assert int(headers[b"content-length"]) == len(body)
    assert b"default-src 'self'" in headers[b"content-security-policy"]
    assert b"http" not in headers[b"content-security-policy"]


@pytest.mark.parametrize(
    "path",
    ["/gradio_api/proxy=http://x/", "/gradio_api/component_server", "/gradio_api/vibe-code", "/docs",
     "/gradio_api/run-history/records", "/gradio_api/process_recording", "/monitoring", "/openapi.json",
     "/gradio_api/run/generate", "/report", "/.git/config", "/gradio_api/dev/reload"],
)  # fmt: skip
def test_what_the_page_does_not_need_is_not_there(guard: Guard, path: str) -> None:
    assert ask(guard, path)[0] == 404
    assert ask(guard, path, "POST", content_length="3")[0] == 404


@pytest.mark.parametrize(
    "path", ["/tmp/app/../../etc/passwd", "..%2f..%2fetc/passwd", "%252e%252e/x", "http://elsewhere/x.mp4",
             "..\\secret", "C:/windows/x", "/tmp/a\0b", "https:%2f%2felsewhere"],
)  # fmt: skip
def test_no_path_leads_up_or_out(guard: Guard, path: str) -> None:
    assert not is_plain_path(path)
    assert ask(guard, f"/gradio_api/file={path}")[0] in (403, 404)


def test_an_ordinary_file_is_served(guard: Guard) -> None:
    assert is_plain_path("/tmp/talkvid-app-x/abc/100%25..odd name.mp4")
    assert ask(guard, "/gradio_api/file=/tmp/talkvid-app-x/abc/ref.png")[0] == 200


def test_uploads_that_are_too_large_are_refused_before_they_are_read(guard: Guard) -> None:
    upload = "/gradio_api/upload"
    assert ask(guard, upload, "POST", content_length="5000000")[0] == 200
    status, _, told = ask(guard, upload, "POST", content_length="5200000")
    assert status == 413 and b"5.1 MB" in told
    assert ask(guard, upload, "POST")[0] == 411
    assert ask(guard, upload, "POST", content_length="-1")[0] == 411
    assert ask(guard, "/gradio_api/queue/join", "POST", content_length="2000000")[0] == 413


def test_a_page_elsewhere_cannot_point_its_own_name_at_this_machine(guard: Guard) -> None:
    assert ask(guard, "/", host="evil.example:7860")[0] == 403
    assert ask(guard, "/", host="127.0.0.1:1")[0] == 200
    assert ask(Guard(inner, upload_bytes=1), "/", host="anything")[0] == 200
    assert [host_name(host) for host in ("[::1]:80", "LOCALHOST", "a:b:c", "")] == [
        "[::1]",
        "localhost",
        "",
        "",
    ]


def test_what_another_page_sends_is_not_taken_and_neither_is_what_has_no_room(guard: Guard) -> None:
    upload, length = "/gradio_api/upload", "5000000"
    own, other = "http://localhost:7860", "https://evil.example"
    assert ask(guard, upload, "POST", content_length=length, origin=own)[0] == 200
    assert ask(guard, upload, "POST", content_length=length, origin=other)[0] == 403
    assert ask(guard, "/gradio_api/queue/join", "POST", content_length="3", origin="null")[0] == 403
    full = Guard(inner, upload_bytes=5_000_000, has_room=lambda num_bytes: num_bytes < 1000)
    assert ask(full, upload, "POST", content_length="999", origin=other)[0] == 200
    status, _, told = ask(full, upload, "POST", content_length="1000")
    assert status == 507 and b"disk of the server is full" in told


def test_the_report_is_served_as_a_page_that_runs_nothing(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text("<h1>Figures</h1><script>alert(1)</script>", encoding="utf-8")
    status, headers, body = ask(Guard(inner, upload_bytes=1, report=page), "/report")
    assert status == 200 and body == page.read_bytes()
    assert headers[b"content-security-policy"].startswith(b"sandbox; default-src 'none'")
    assert b"allow-scripts" not in headers[b"content-security-policy"]
