"""A server on this machine that behaves as the model hub, its file store and a plain web server do."""

import contextlib
import hashlib
import re
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "5" * 40
LARGE = 1000
"""Files of that many bytes live in the store, under their SHA-256, to which the hub redirects."""


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    range: str
    authorization: str
    sent: int = 0


@dataclass
class ModelServer:
    """What is served and what was asked; paths begin with a slash, hub files are `/OWNER/NAME/FILE`."""

    files: dict[str, bytes] = field(default_factory=dict)
    cuts: dict[str, list[int]] = field(default_factory=dict)
    """Path -> after how many bytes each of the next answers breaks off."""
    statuses: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Path -> status of each of the next answers, instead of the file."""
    slow_after: dict[str, int] = field(default_factory=dict)
    """Path -> after how many bytes the answer stands still until `release` is set."""
    release: threading.Event = field(default_factory=threading.Event)
    lies: bool = False
    """The hub states a checksum that the store's file does not have."""
    asked: list[Asked] = field(default_factory=list)
    address: str = ""
    store: str = ""
    """The same server under another name, as the hub's file store has one."""

    def hub_file(self, repository: str, path: str, content: bytes) -> None:
        """Serve a file of a repository."""
        self.files[f"/{repository}/{path}"] = content

    def gets(self, ending: str) -> list[Asked]:
        """Return the requests for content whose path ends so; the hub's redirects are none."""
        return [one for one in self.asked if one.method == "GET" and one.path.endswith(ending)]

    def wait_for(self, count: int, seconds: float = 30) -> None:
        """Return when `count` bytes were sent over all answers."""
        end = time.monotonic() + seconds
        while sum(one.sent for one in self.asked) < count:
            assert time.monotonic() < end, self.asked
            time.sleep(0.02)


@contextlib.contextmanager
def serve() -> Iterator[ModelServer]:
    """Yield a running server; it is stopped at the end."""
    model_server = ModelServer()
    handler = type("Handler", (_Handler,), {"site": model_server})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    port = server.server_address[1]
    model_server.address, model_server.store = f"http://127.0.0.1:{port}", f"http://localhost:{port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield model_server
    finally:
        model_server.release.set()
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    site: ModelServer

    def log_message(self, *_: Any) -> None:
        """Stay silent."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        site, headers = self.site, self.headers
        asked = Asked(self.command, self.path, headers.get("Range", ""), headers.get("Authorization", ""))
        site.asked.append(asked)
        if site.statuses[self.path]:
            return self._send(site.statuses[self.path].pop(0), {}, b"")
        hub = re.fullmatch(r"(/[^/]+/[^/]+)/resolve/[^/]+(/.+)", self.path)
        if hub:
            return self._hub("".join(hub.groups()), asked, body=body)
        stored = re.fullmatch(r"/store/[0-9a-f]+(/.+)", self.path)
        return self._file(stored.group(1) if stored else self.path, asked, body=body)

    def _hub(self, name: str, asked: Asked, *, body: bool) -> None:
        """Answer as huggingface.co does: small files at once, large ones by a redirect to the store."""
        content = self.site.files.get(name)
        if content is None:
            return self._send(404, {"X-Error-Code": "EntryNotFound"}, b"")
        git_sha1 = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
        told = {"X-Repo-Commit": COMMIT, "ETag": f'"{git_sha1}"'}
        if len(content) < LARGE:
            return self._file(name, asked, body=body, told=told)
        sha256 = hashlib.sha256(b"other" if self.site.lies else content).hexdigest()
        told |= {"X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(len(content))}
        return self._send(302, told | {"Location": f"{self.site.store}/store/{sha256}{name}"}, b"")

    def _file(self, name: str, asked: Asked, *, body: bool, told: dict[str, str] | None = None) -> None:
        content = self.site.files.get(name)
        if content is None:
            return self._send(404, {}, b"")
        told = told or {"ETag": f'"{hashlib.md5(content).hexdigest()}"'}
        wanted = re.fullmatch(r"bytes=(\d+)-", asked.range)
        same = self.headers.get("If-Range", told["ETag"]) == told["ETag"]
        first = int(wanted.group(1)) if wanted and same else 0
        if first:
            told |= {"Content-Range": f"bytes {first}-{len(content) - 1}/{len(content)}"}
        told |= {"Content-Length": str(len(content) - first)}
        self.send_response(206 if first else 200)
        for key, value in told.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self._stream(name, content[first:], asked)

    def _stream(self, name: str, content: bytes, asked: Asked) -> None:
        cuts, slow = self.site.cuts.get(name, []), self.site.slow_after.get(name)
        most = cuts.pop(0) if cuts else len(content)
        with contextlib.suppress(OSError):
            for begin in range(0, most, 4096):
                if slow is not None and begin >= slow:
                    self.site.release.wait(30)
                piece = content[begin : min(begin + 4096, most)]
                self.wfile.write(piece)
                asked.sent += len(piece)
            if most < len(content):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_WR)

    def _send(self, status: int, told: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for key, value in (told | {"Content-Length": str(len(content))}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)
