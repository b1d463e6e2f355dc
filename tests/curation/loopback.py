"""A small web server on this machine whose every file misbehaves in one way."""

import re
import socket
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STATUS = {"/missing.mp4": 404, "/gone.mp4": 410, "/closed.mp4": 403, "/abroad.mp4": 451, "/broken.mp4": 500}
SILENCE_S = 3.0


@dataclass
class Site:
    """What the server serves and what it was asked."""

    data: bytes
    """The file behind every address that gives one."""
    address: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    ranges: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    times: list[float] = field(default_factory=list)
    cut_after: int = 0
    """`/flaky.mp4` ends each connection after so many bytes."""
    cuts_left: int = 0
    tag: str = '"v1"'
    release: threading.Event = field(default_factory=threading.Event)
    """Until it is set `/stall.mp4` sends one half and then nothing."""

    def url(self, name: str) -> str:
        """Return the address of one file."""
        return f"{self.address}/{name}"


@contextmanager
def serve(data: bytes) -> Iterator[Site]:
    """Yield a running site; it is stopped at the end."""
    site = Site(data)
    handler = type("Handler", (_Handler,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    site.address = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, *_: Any) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        site, path = self.site, self.path.split("?")[0]
        site.asked[path] += 1
        site.times.append(time.monotonic())
        site.ranges[path].append(self.headers.get("Range", ""))
        if path in STATUS:
            self._answer(STATUS[path], b"")
        elif path == "/busy.mp4":
            self._answer(*((429, b"") if site.asked[path] < 3 else (200, site.data)))
        elif path == "/loop.mp4":
            self._redirect("/loop.mp4")
        elif path == "/long-way.mp4":
            self._redirect(f"/long-way.mp4?{site.asked[path]}")
        elif path == "/moved.mp4":
            self._redirect("/ok.mp4")
        elif path == "/escape.mp4":
            self._redirect("file:///etc/passwd")
        elif path == "/page.mp4":
            self._answer(200, b"<html>This video is gone.</html>", kind="text/html")
        elif path == "/silent.mp4":
            time.sleep(SILENCE_S)
        elif path == "/stall.mp4" and not site.release.is_set():
            half = len(site.data) // 2
            self._answer(200, site.data[:half], length=len(site.data), wait=site.release)
        elif path == "/short.mp4":
            self._answer(200, site.data[:-100], length=len(site.data), tag="")
        elif path == "/unnamed":
            self._answer(200, site.data)
        else:
            self._file(path)

    def _file(self, path: str) -> None:
        """Serve the file from the byte asked for; `/flaky.mp4` breaks off, `/whole.mp4` knows no ranges."""
        site = self.site
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range", site.tag) == site.tag
        first = int(asked.group(1)) if asked and same and path != "/whole.mp4" else 0
        cut = path == "/flaky.mp4" and site.cuts_left > 0
        site.cuts_left -= cut
        body = site.data[first:]
        tag = "" if path == "/whole.mp4" else site.tag
        self._answer(
            206 if first else 200,
            body[: site.cut_after] if cut else body,
            length=len(body),
            first=first,
            tag=tag,
        )

    def _redirect(self, target: str) -> None:
        self.send_response(302)
        self.send_header("Location", target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(
        self, status: int, body: bytes, *, length: int | None = None, first: int = 0, tag: str = '"v1"',
        kind: str = "video/mp4", wait: threading.Event | None = None,
    ) -> None:  # fmt: skip
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if tag:
            self.send_header("ETag", tag)
        if status == 206:
            total = len(self.site.data)
            self.send_header("Content-Range", f"bytes {first}-{total - 1}/{total}")
        self.end_headers()
        try:
            self.wfile.write(body)
            self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            return
        if wait is not None:
            wait.wait(10)
        if length is not None and length != len(body):
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_WR)
