"""The page in a real browser, and what the running server refuses: upload, generate, play, look, read."""

import http.client
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from curated_run import write_run

from talkvid.app.limits import Limits
from tests.app.made_up import SAMPLE, first_second
from tests.browser import Browser, find_chromium

pytest.importorskip("gradio", reason="the extra app (gradio) is not installed")
# A browser, a server and a worker that makes videos: on a busy machine this takes minutes.
pytestmark = pytest.mark.slow
CHROMIUM = find_chromium()
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium program is installed")
STATUS = "document.querySelector('#status').innerText"
LOADED_MACHINE_S = 300.0
BOUNDARY = "xxBOUNDARYxx"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    from talkvid.app.server import AppServer, AppSettings
    from talkvid.inference.settings import LoadOptions

    folder = tmp_path_factory.mktemp("served")
    write_run(folder / "run", videos=3, clips=2)
    (folder / "report.html").write_text(
        "<h1>Figures</h1><script>parent.broken = 1</script>", encoding="utf-8"
    )
    before = dict(os.environ)
    running = AppServer(
        AppSettings(
            LoadOptions(device="cpu"),
            Limits(sound_s=10, upload_mb=1),
            port=0,
            curated=folder / "run",
            report=folder,
        )
    )
    yield running
    running.close()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert CHROMIUM is not None
    with Browser(CHROMIUM, tmp_path_factory.mktemp("browser"), height=1000) as opened:
        yield opened


def fill(browser: Browser, url: str, sound: Path) -> None:
    browser.open(url)
    browser.wait("!!document.querySelector('#portrait input[type=file]')")
    browser.give_file("#portrait input[type=file]", SAMPLE / "ref.png")
    browser.give_file("#speech input[type=file]", sound)
    browser.wait("!!document.querySelector('#portrait img')")
    browser.wait("!document.querySelector('#speech input[type=file]')")


@in_browser
def test_a_portrait_and_a_second_of_speech_become_a_video_that_plays(
    server: object, browser: Browser, tmp_path: Path
) -> None:
    url: str = server.url  # type: ignore[attr-defined]
    fill(browser, url, first_second(tmp_path / "one.wav"))
    browser.click("#go")
    browser.wait(f"{STATUS}.includes('Finished: 25 frames')", deadline_s=LOADED_MACHINE_S)
    video = "document.querySelector('#result video')"
    browser.wait(f"!!{video} && {video}.readyState === 4")
    browser.ask(f"{video}.play() && 1")
    browser.wait(f"{video}.currentTime > 0.3 && {video}.videoWidth === 512 && !{video}.error")
    browser.click("#take-settings")
    taken = browser.downloaded("ref_one.settings.json")
    assert taken["synthetic"] is True and taken["inputs"]["audio"]["path"] == "one.wav"
    assert "/tmp" not in json.dumps(taken)
    outside = [asked for asked in browser.requested if not asked.startswith((url, "data:", "blob:"))]
    assert len(browser.requested) > 20 and outside == [] and browser.errors == []


@in_browser
def test_a_video_in_the_making_is_stopped_and_mistakes_are_sentences(
    server: object, browser: Browser
) -> None:
    browser.open(server.url)  # type: ignore[attr-defined]
    browser.wait("!!document.querySelector('#go')")
    time.sleep(0.5)
    browser.click("#go")
    browser.wait("!!document.querySelector('#status .problem')")
    assert "Give a portrait first" in browser.ask(STATUS)
    browser.wait("document.querySelectorAll('#samples .thumbnail-item').length === 2")
    browser.ask("document.querySelector('#samples .thumbnail-item').click()")
    browser.wait("!!document.querySelector('#portrait img')")
    browser.wait("!document.querySelector('#speech input[type=file]')")
    browser.click("#go")
    browser.wait(f"{STATUS}.includes('Making the frames')", deadline_s=LOADED_MACHINE_S)
    browser.click("#stop")
    browser.wait(f"{STATUS}.includes('Stopped')")
    assert server.line.counts() == (0, 0)  # type: ignore[attr-defined]


@in_browser
def test_the_other_tabs_show_a_data_set_and_a_report_on_a_phone_too(server: object, browser: Browser) -> None:
    browser.resize(390, 844)
    try:
        browser.open(server.url)  # type: ignore[attr-defined]
        tabs = "[...document.querySelectorAll('button[role=tab]')]"
        browser.wait(f"{tabs}.filter(one => one.innerText === 'Report').length > 0")
        browser.ask(f"{tabs}.filter(one => one.innerText === 'Data set')[0].click()")
        browser.wait("document.querySelectorAll('#clips .thumbnail-item').length === 6")
        browser.ask("document.querySelector('#clips .thumbnail-item').click()")
        browser.wait("document.body.innerText.includes('this video does not exist')")
        assert browser.ask("document.documentElement.scrollWidth") <= 390
        browser.ask(f"{tabs}.filter(one => one.innerText === 'Report')[0].click()")
        browser.wait("!!document.querySelector('iframe.report')")
        assert browser.ask("document.querySelector('iframe.report').getAttribute('sandbox')") == ""
        assert browser.ask("window.broken === undefined")
    finally:
        browser.resize(1280, 1000)


def ask(server: object, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
    parts = urlsplit(server.url)  # type: ignore[attr-defined]
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
    try:
        connection.request(
            method, path, body or None, {key.replace("_", "-"): v for key, v in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def upload(server: object, content: bytes, name: str = "face.png") -> tuple[int, bytes]:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    body = head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    return ask(
        server, "POST", "/gradio_api/upload", body, content_type=f"multipart/form-data; boundary={BOUNDARY}"
    )


def test_nothing_outside_its_own_folder_is_served(server: object, root: Path) -> None:
    own = server.folder  # type: ignore[attr-defined]
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


def test_oversized_uploads_and_foreign_names_are_refused_and_the_server_lives_on(server: object) -> None:
    assert upload(server, b"x" * 900_000)[0] == 200
    assert upload(server, b"x" * 1_050_000)[0] == 413
    assert ask(server, "GET", "/", Host="evil.example")[0] == 403
    assert ask(server, "GET", "/gradio_api/proxy=http://127.0.0.1/")[0] == 404
    assert ask(server, "GET", "/config")[0] == 200
