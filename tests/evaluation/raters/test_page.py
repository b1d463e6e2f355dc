"""The raters' page in a real browser: played, answered by mouse and keys, reloaded, saved, analysed."""

import functools
import json
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from talkvid.evaluation.raters.analysis import analyse
from talkvid.evaluation.raters.answers import read_answers
from talkvid.evaluation.raters.key import Key, read_key
from talkvid.evaluation.raters.make import StudyRequest, make_study
from talkvid.evaluation.raters.questions import Kind
from tests.browser import Browser, find_chromium

CHROMIUM = find_chromium()
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium program is installed")
OPEN = "!document.querySelector('.choices button').disabled"
SEEN = "document.querySelectorAll('.player.seen').length"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    assert CHROMIUM is not None
    with Browser(CHROMIUM, tmp_path_factory.mktemp("browser")) as opened:
        yield opened


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def make(material: Path, output: Path, kind: Kind) -> tuple[Key, str]:
    request = StudyRequest(
        videos={"ZebraNet": material / "ZebraNet", "XerusGan": material / "XerusGan"},
        output=output,
        kind=kind,
        reference=material / "true",
        questions=("lip_sync", "identity"),
        raters=2,
        trials=2,
        catch=1,
    )
    make_study(request)
    return read_key(output / "key.json"), (output / "for_raters" / "index.html").as_uri()


def start(browser: Browser, url: str, code: str) -> None:
    browser.open(f"{url}#{code}")
    browser.click("#entry button")
    browser.wait("!document.getElementById('trial').hidden")


def play_all(browser: Browser) -> None:
    """Play what is on the screen with the space key."""
    browser.wait("document.querySelector('video').readyState >= 2")
    for number in range(1, 1 + int(browser.ask("document.querySelectorAll('video').length"))):
        browser.press(" ")
        browser.wait(f"{SEEN} === {number}")
    browser.wait(OPEN)


def count(browser: Browser) -> str:
    return str(browser.ask("document.getElementById('count').textContent"))


def still_side(browser: Browser, key: Key) -> str | None:
    """Return the key that a rater who looks presses in a catch trial, None in others."""
    files = browser.ask("[...document.querySelectorAll('video')].map((video) => video.src.split('/').pop())")
    for position, file in enumerate(files):
        if key.files[file].still:
            return "ArrowLeft" if position else "ArrowRight"
    return None


def test_a_rater_goes_through_a_side_by_side_study(material: Path, tmp_path: Path, browser: Browser) -> None:
    key, url = make(material, tmp_path / "out", "ab")
    code = key.raters[0]
    start(browser, url, code)
    assert count(browser) == "1 of 3"
    # Once: a rater could answer without having played anything.
    browser.press("ArrowLeft")
    browser.press("Enter")
    browser.click("#next")
    assert browser.ask("document.querySelectorAll('[aria-pressed=true]').length") == 0
    browser.click(".player:nth-child(1) button")
    browser.wait(f"{SEEN} === 1")
    assert browser.ask("!document.querySelector('.choices button').disabled") is False, "only one is seen"
    # Skipping to the end is not having seen it.
    browser.ask("document.querySelectorAll('video')[1].currentTime = 0.5")
    browser.click(".player:nth-child(2) button")
    browser.wait("document.querySelectorAll('video')[1].ended")
    assert browser.ask(SEEN) == 1
    browser.click(".player:nth-child(2) button")
    browser.wait(OPEN)
    browser.press(still_side(browser, key) or "ArrowRight")
    browser.press("n")
    assert browser.ask("[...document.querySelectorAll('[aria-pressed=true]')].map((b) => b.textContent)")[
        1
    ] == ("no difference")
    browser.press("Backspace")
    assert browser.ask("document.querySelectorAll('[aria-pressed=true]').length") == 1
    browser.click(".question:nth-child(2) button:nth-child(1)")
    browser.click("#next")
    browser.wait("document.getElementById('count').textContent === '2 of 3'")

    browser.reload()
    browser.click("#entry button")
    browser.wait("!document.getElementById('trial').hidden")
    assert count(browser) == "2 of 3", "a reload goes on where it was"
    for _ in range(2):
        play_all(browser)
        before = count(browser)
        browser.press(still_side(browser, key) or "b")
        browser.press("ArrowLeft")
        browser.press("Enter")
        browser.wait(
            f"document.getElementById('count').textContent !== '{before}'"
            " || !document.getElementById('end').hidden"
        )
    browser.wait("!document.getElementById('end').hidden")
    saved = browser.downloaded(f"answers-{code}.json")
    assert saved["complete"] is True and len(saved["answers"]) == 3
    assert set(saved) == {"format", "study", "rater", "complete", "answers"}, "nothing personal"
    assert set(saved["answers"][0]) == {"trial", "seconds", "plays", "values"}
    assert saved["answers"][0]["plays"] == [1, 2]
    assert json.loads(browser.ask("document.getElementById('text').value")) == saved
    assert browser.errors == []
    assert {address.partition(":")[0] for address in browser.requested} <= {"file", "about", "data", "blob"}

    folder = tmp_path / "answers"
    folder.mkdir()
    (folder / "one.json").write_text(json.dumps(saved))
    analysis = analyse(key, read_answers([folder], key))
    assert analysis.kept == 1 and analysis.answers == 2 and analysis.raters[0].catches == 1


def test_a_rater_rates_on_the_scale_at_phone_width_and_stops_early(
    material: Path, tmp_path: Path, browser: Browser
) -> None:
    key, url = make(material, tmp_path / "out", "mos")
    browser.resize(390, 844)
    try:
        start(browser, url, key.raters[1])
        assert browser.ask("document.documentElement.scrollWidth") == 390, "nothing is wider than the phone"
        for element in (".stage", ".choices", "#next", "#stop"):
            box = browser.ask(
                f"(() => {{const b = document.querySelector('{element}').getBoundingClientRect();"
                "return [b.left, b.right];})()"
            )
            assert 0 <= box[0] < box[1] <= 390, element
        assert browser.ask("document.querySelector('#person img').naturalWidth") > 0
        play_all(browser)
        browser.click(".question:nth-child(1) button:nth-child(1)")
        browser.press("2")
        assert browser.ask(
            "[...document.querySelectorAll('[aria-pressed=true]')].map((b) => b.textContent)"
        ) == [
            "1bad",
            "2poor",
        ]
        browser.click("#next")
        browser.wait("document.getElementById('count').textContent === '2 of 3'")
        browser.click("#stop")
        saved = browser.downloaded(f"answers-{key.raters[1]}.json")
        assert saved["complete"] is False and [one["values"] for one in saved["answers"]] == [
            {"lip_sync": 1, "identity": 2}
        ]
        browser.click("#resume")
        browser.wait("!document.getElementById('trial').hidden")
        assert count(browser) == "2 of 3"
    finally:
        browser.resize(1280, 800)
    assert browser.errors == []


def test_the_page_works_from_a_plain_file_server_too(
    material: Path, tmp_path: Path, browser: Browser
) -> None:
    key, _ = make(material, tmp_path / "out", "mos")
    handler = functools.partial(QuietHandler, directory=str(tmp_path / "out" / "for_raters"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            start(browser, f"http://127.0.0.1:{server.server_port}/index.html", key.raters[0])
            play_all(browser)
            browser.press("1")
            browser.press("1")
            browser.press("Enter")
            browser.wait("document.getElementById('count').textContent === '2 of 3'")
        finally:
            server.shutdown()
    here = (f"http://127.0.0.1:{server.server_port}/", "about:", "data:")
    assert all(address.startswith(here) for address in browser.requested), browser.requested
    assert browser.errors == []


def test_a_wrong_code_starts_nothing_and_a_missing_video_can_be_passed(
    material: Path, tmp_path: Path, browser: Browser
) -> None:
    key, url = make(material, tmp_path / "out", "mos")
    browser.open(f"{url}#99-zzzz")
    browser.click("#entry button")
    assert "99-zzzz is not known here" in browser.ask("document.getElementById('refused').textContent")
    assert browser.ask("document.getElementById('trial').hidden") is True
    for path in (tmp_path / "out" / "for_raters" / "videos").iterdir():
        path.write_bytes(b"no video")
    start(browser, url, key.raters[0])
    for _ in range(3):
        browser.wait("!document.getElementById('next').disabled || !document.getElementById('end').hidden")
        assert "cannot be played" in browser.ask("document.getElementById('hint').textContent")
        browser.press("Enter")
        time.sleep(0.05)
    saved = browser.downloaded(f"answers-{key.raters[0]}.json")
    assert [one["unplayable"] for one in saved["answers"]] == [True] * 3
    (tmp_path / "one.json").write_text(json.dumps(saved))
    (found,) = read_answers([tmp_path / "one.json"], key).raters
    assert found.dropped == {"video not playable": 3} and not found.answers
