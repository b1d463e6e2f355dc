"""A headless Chromium driven through the DevTools protocol over two pipes: no library, no port."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

CANDIDATES = ("chromium", "chromium-browser", "google-chrome", "chrome")
DEADLINE_S = 240.0
"""Generous: where many other programs work, a page may take minutes to be built."""
KEYS = {
    "Enter": (13, "\r"),
    "Backspace": (8, ""),
    " ": (32, " "),
    "ArrowLeft": (37, ""),
    "ArrowRight": (39, ""),
}


def find_chromium() -> str | None:
    return next((found for name in CANDIDATES if (found := shutil.which(name))), None)


class BrowserEnded(RuntimeError):
    """The program ended by itself, as it does where its libraries or rights are missing."""


class CommandRefused(RuntimeError):
    """The browser did not do what it was told, as while it goes from one page to the next."""


STEADY = """new Promise(done => {
  const find = () => {
    const found = document.querySelector(SELECTOR);
    if (!found) return null;
    found.scrollIntoView({block: 'center', behavior: 'instant'});
    const box = found.getBoundingClientRect();
    const at = [box.x + box.width / 2, box.y + box.height / 2];
    const top = document.elementFromPoint(...at);
    return top && (found.contains(top) || top.contains(found)) ? at : null;
  };
  const before = find();
  setTimeout(() => requestAnimationFrame(() => {
    const after = find();
    done(before && after && before.join() === after.join() ? after : null);
  }), 60);
})"""
"""The middle of an element in a page that has come to rest and does not cover it; else null."""


class Browser:
    """One page; downloads go to the folder that is given."""

    def __init__(self, program: str, folder: Path, *, width: int = 1280, height: int = 800) -> None:
        self.downloads = folder / "downloads"
        self.downloads.mkdir(parents=True, exist_ok=True)
        self._size = (width, height)
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()

        def as_three_and_four() -> None:
            # Chromium reads commands from descriptor 3 and writes answers to 4.
            spare_in, spare_out = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(spare_in, 3)
            os.dup2(spare_out, 4)

        self._process = subprocess.Popen(
            [
                program, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
                "--autoplay-policy=no-user-gesture-required", "--mute-audio", "--disable-dev-shm-usage",
                f"--user-data-dir={folder / 'profile'}", "--no-first-run", "about:blank",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=as_three_and_four, close_fds=False,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._reader, self._writer = os.fdopen(ours_in, "rb", 0), os.fdopen(ours_out, "wb", 0)
        self._buffer = b""
        self._number = 0
        self._session = ""
        self.requested: list[str] = []
        self.errors: list[str] = []

    def __enter__(self) -> Self:
        try:
            self._attach()
        except BaseException as error:
            self._end()
            if isinstance(error, BrowserEnded | BrokenPipeError):
                pytest.skip("chromium is installed but does not start here")
            raise
        return self

    def _attach(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for room in ("Page", "Runtime", "Network"):
            self.call(f"{room}.enable")
        self.resize(*self._size)
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.close()
        self._writer.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session and not method.startswith(("Target.", "Browser.")):
            message["sessionId"] = self._session
        self._writer.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise CommandRefused(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            waiting, _, _ = select.select([self._reader], [], [], DEADLINE_S)
            assert waiting, f"chromium said nothing for {DEADLINE_S} s"
            piece = os.read(self._reader.fileno(), 1 << 16)
            if not piece:
                raise BrowserEnded("chromium has ended")
            self._buffer += piece
        text, self._buffer = self._buffer.split(b"\0", 1)
        message: dict[str, Any] = json.loads(text)
        return message

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("method") == "Network.requestWillBeSent":
            self.requested.append(event["params"]["request"]["url"])
        if event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(event["params"]["exceptionDetails"])[:500])

    def open(self, url: str) -> None:
        """Show a page; requests and errors are listed from here on."""
        self.call("Page.navigate", url="about:blank")
        # What the page before still asked for has been told once the empty one is there.
        self.wait("location.href === 'about:blank' && document.readyState === 'complete'")
        self.requested.clear()
        self.errors.clear()
        self.call("Page.navigate", url=url)
        self.wait("location.href !== 'about:blank' && document.readyState === 'complete'")

    def reload(self) -> None:
        self.ask("window.reloading = true")
        self.call("Page.reload")
        self.wait("window.reloading === undefined && document.readyState === 'complete'")

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip

    def ask(self, expression: str) -> Any:
        """Return what an expression gives, a promise's outcome included."""
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )  # fmt: skip
        assert "exceptionDetails" not in answer, (expression, answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait(self, expression: str, *, deadline_s: float = DEADLINE_S) -> None:
        """Return once an expression is true; AssertionError after the deadline."""
        self._until(expression, deadline_s)

    def _until(self, expression: str, deadline_s: float = DEADLINE_S) -> Any:
        end = time.monotonic() + deadline_s
        while True:
            # While one page goes and the next one comes there is nobody to ask.
            with contextlib.suppress(CommandRefused):
                if answer := self.ask(expression):
                    return answer
            assert time.monotonic() < end, f"still not: {expression}"
            time.sleep(0.03)

    def click(self, selector: str, *, times: int = 1) -> None:
        """Press the mouse in the middle of what the selector finds, as a hand does, once it lies still."""
        x, y = self._until(STEADY.replace("SELECTOR", json.dumps(selector)))
        for number in range(1, times + 1):
            for kind in ("mousePressed", "mouseReleased"):
                self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=number)

    def give_file(self, selector: str, path: Path) -> None:
        """Choose a file in the file input that the selector finds, as in the dialog of the browser."""
        self.wait(f"!!document.querySelector({json.dumps(selector)})")
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        found = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        assert found, f"no {selector}"
        self.call("DOM.setFileInputFiles", files=[str(path)], nodeId=found)

    def press(self, key: str) -> None:
        code, text = KEYS[key] if key in KEYS else (ord(key.upper()), key)
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, text=text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        taken = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(taken["data"]))

    def downloaded(self, name: str) -> Any:
        """Return the JSON of a finished download and remove it."""
        path = self.downloads / name
        end = time.monotonic() + DEADLINE_S
        while not path.exists() or not path.stat().st_size:
            assert time.monotonic() < end, f"{name} was not downloaded: {list(self.downloads.iterdir())}"
            time.sleep(0.03)
        content = json.loads(path.read_text(encoding="utf-8"))
        path.unlink()
        return content
