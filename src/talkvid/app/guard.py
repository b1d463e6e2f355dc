"""What stands before the web server: only what the page needs is answered, nothing is fetched elsewhere."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from talkvid.app.sentences import DISK_FULL

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Message, Receive, Send], Awaitable[None]]

OPEN_PATHS = re.compile(
    r"/(|config/?|theme\.css|favicon\.ico|manifest\.json|robots\.txt|login/?|logout"
    r"|(static|assets)/.*|report"
    r"|gradio_api/(info|user|token|app_id|login_check|startup-events|upload|upload_progress|theme\.css"
    r"|queue/(join|data)|cancel|reset|heartbeat/\w+|file=.*))"
)
"""Everything else that gradio can do (proxies, component servers, recordings, live editing) is not there."""
FILE_PREFIX = "/gradio_api/file="
UPLOAD = "/gradio_api/upload"
REPORT = "/report"
MOST_JSON_BYTES = 1_000_000
FORM_BYTES = 100_000
"""What a form adds around the file in it."""
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; frame-src 'self'; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
"""The browser then refuses every request to another machine."""
REPORT_POLICY = (
    "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'; "
    "form-action 'none'; base-uri 'none'"
)
"""A report is a page of pictures and tables: no script of it runs."""
OUTSIDE_TAGS = re.compile(
    rb"<(?:meta|link)\b[^>]*https?://[^>]*>|<script\b[^>]*\bsrc=\"https?://[^>]*></script>"
)


class Guard:
    """The application behind a list of what may be asked.

    Args:
        hosts: names under which the server answers, None for any; a page elsewhere cannot then point its own
            name at this machine and read what is here.
        upload_bytes: the largest upload.
        has_room: tells whether that many bytes more may be stored.
        report: the page served at /report.
    """

    def __init__(
        self,
        app: Asgi,
        *,
        upload_bytes: int,
        hosts: frozenset[str] | None = None,
        report: Path | None = None,
        has_room: Callable[[int], bool] = lambda num_bytes: True,
    ) -> None:
        self._app, self._has_room = app, has_room
        self._hosts, self._upload_bytes, self._report = hosts, upload_bytes, report

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        refused = self._refusal(scope["method"], scope["path"], headers)
        if refused is not None:
            await answer(send, refused[0], refused[1].encode(), kind="text/plain; charset=utf-8")
        elif scope["path"] == REPORT:
            page = b"" if self._report is None else self._report.read_bytes()
            await answer(send, 200, page, kind="text/html; charset=utf-8", policy=REPORT_POLICY)
        elif scope["path"] == "/":
            # Compressed, the page could not be cleaned.
            scope["headers"] = [pair for pair in scope["headers"] if pair[0].lower() != b"accept-encoding"]
            await self._app(scope, receive, _Cleaned(send))
        else:
            await self._app(scope, receive, _with_headers(send))

    def _refusal(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str] | None:
        """Return status and sentence when a request is refused."""
        if self._hosts is not None and host_name(headers.get("host", "")) not in self._hosts:
            return 403, "This server answers only under the names of its own machine."
        if OPEN_PATHS.fullmatch(path) is None or (path == REPORT and self._report is None):
            return 404, "There is nothing here."
        if path.startswith(FILE_PREFIX) and not is_plain_path(path.removeprefix(FILE_PREFIX)):
            return 403, "This file is not served."
        if method in ("GET", "HEAD", "OPTIONS"):
            return None
        if self._hosts is not None and headers.get("origin", "") not in own_origins(headers):
            return 403, "This server takes nothing that another page sends."
        most = self._upload_bytes + FORM_BYTES if path == UPLOAD else MOST_JSON_BYTES
        length = headers.get("content-length", "")
        if not length.isdecimal():
            return 411, "The length of what is sent must be told."
        if int(length) > most:
            return 413, f"More than the {most / 1e6:g} MB that are allowed here."
        if path == UPLOAD and not self._has_room(int(length)):
            return 507, DISK_FULL
        return None


def is_plain_path(path: str) -> bool:
    """Return whether a path goes straight down: no address, no way up, however often it is coded."""
    while (decoded := unquote(path)) != path:
        path = decoded
    parts = path.replace("\\", "/").split("/")
    return "://" not in path and ".." not in parts and "\0" not in path and ":" not in parts[0]


def own_origins(headers: dict[str, str]) -> tuple[str, ...]:
    """Return what the Origin header of a request may be: missing, as programs send it, or this server."""
    host = headers.get("host", "")
    return "", f"http://{host}", f"https://{host}"


def host_name(host: str) -> str:
    """Return the name in a Host header without its port."""
    found = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:]+)(:\d+)?", host)
    return found[1].lower() if found else ""


async def answer(send: Send, status: int, body: bytes, *, kind: str, policy: str = PAGE_POLICY) -> None:
    """Send a whole answer."""
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    start = {"type": "http.response.start", "status": status, "headers": [*headers, *safe_headers(policy)]}
    await send(start)
    await send({"type": "http.response.body", "body": body})


def safe_headers(policy: str) -> list[tuple[bytes, bytes]]:
    """Return the headers that keep a browser from going elsewhere."""
    return [
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
    ]


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *safe_headers(PAGE_POLICY)]}
        await send(message)

    return sent


class _Cleaned:
    """Sends the page without its marks that name other machines."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        body = OUTSIDE_TAGS.sub(b"", self._body)
        kept = [pair for pair in self._start["headers"] if pair[0].lower() != b"content-length"]
        headers = [*kept, (b"content-length", str(len(body)).encode()), *safe_headers(PAGE_POLICY)]
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})
