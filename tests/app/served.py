"""The page served for a test: a server, who visits it in a browser, and who asks it by hand."""

import http.client
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from talkvid.app.orders import Order
from talkvid.app.progress import Cancelled, Progress
from talkvid.media.writer import VideoWriter
from tests.app.made_up import SAMPLE
from tests.browser import Browser, find_chromium

CHROMIUM = find_chromium()
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium program is installed")
STATUS = "document.querySelector('#status').innerText"
BUSY_MACHINE_S = 600.0
BOUNDARY = "xxBOUNDARYxx"


@contextmanager
def serving(workers: Any = None, *, keep_minutes: float = 60, **settings: Any) -> Iterator[Any]:
    """Hand out a running server of the embedded model on loopback; the environment is put back after it."""
    from talkvid.app.limits import Limits
    from talkvid.app.server import AppServer, AppSettings
    from talkvid.inference.settings import LoadOptions

    before = dict(os.environ)
    limits = Limits(sound_s=10, upload_mb=1, keep_minutes=keep_minutes)
    running = AppServer(AppSettings(LoadOptions(device="cpu"), limits, port=0, **settings), workers=workers)
    try:
        yield running
    finally:
        running.close()
        os.environ.clear()
        os.environ.update(before)


class StandIn:
    """Makes videos without a model: an order waits to be let go, then is a ready video or an error."""

    pid = None

    def __init__(self, folder: Path) -> None:
        self.orders: list[Order] = []
        self.error: Exception | None = None
        self.go = threading.Semaphore(0)
        self._video = folder / "ready.mp4"
        with VideoWriter(self._video, 64, 64, 25, preset="ultrafast") as writer:
            for level in range(25):
                writer.write(np.full((64, 64, 3), 9 * level, np.uint8))

    def make(self, order: Order, tell: Callable[[Progress], None], cancelled: threading.Event) -> None:
        self.orders.append(order)
        tell(Progress("Making the frames", 0.5, 3.0))
        while not self.go.acquire(timeout=0.02):
            if cancelled.is_set():
                raise Cancelled
        error, self.error = self.error, None
        if error is not None:
            raise error
        order.output.parent.mkdir(parents=True)
        shutil.copy(self._video, order.output)
        Path(f"{order.output}.json").write_text(json.dumps({"seed": order.settings.seed}), encoding="utf-8")

    def end(self) -> None:
        return None


def until(condition: Callable[[], bool], *, deadline_s: float = 120.0) -> None:
    """Return once a condition holds."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "the condition never came true"
        time.sleep(0.02)


def fill(browser: Browser, url: str, sound: Path, *, portrait: Path = SAMPLE / "ref.png") -> None:
    """Open the page and give both files by hand."""
    browser.open(url)
    browser.give_file("#portrait input[type=file]", portrait)
    browser.give_file("#speech input[type=file]", sound)
    browser.wait("!!document.querySelector('#portrait img')")
    browser.wait("!document.querySelector('#speech input[type=file]')")


def ask(server: Any, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    """Return status and content of one answer of the server."""
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=120)
    try:
        told = {key.replace("_", "-"): value for key, value in headers.items()}
        connection.request(method, path, body or None, told)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def upload(server: Any, content: bytes, name: str = "face.png", **headers: str) -> tuple[int, bytes]:
    """Return status and content of the answer to an upload."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    body = head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return ask(server, "POST", "/gradio_api/upload", body, content_type=kind, **headers)
