"""What visitors do to the page besides the obvious: stop, leave, click twice, give nonsense, meet trouble.

The model is a stand-in here; the page, the line and the server are the real ones.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from talkvid.app import folder as own_folder
from tests.app.made_up import SAMPLE, first_second, write_sound
from tests.app.served import STATUS, StandIn, fill, in_browser, serving, until
from tests.browser import Browser

pytest.importorskip("gradio", reason="the extra app (gradio) is not installed")
MAKING = f"{STATUS}.includes('Making the frames')"
PROBLEM = "!!document.querySelector('#status .problem')"
AT_REST = "!document.querySelector('#go').disabled && document.querySelector('#stop').disabled"


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> StandIn:
    return StandIn(tmp_path_factory.mktemp("stand_in"))


@pytest.fixture(scope="module")
def server(maker: StandIn) -> Iterator[Any]:
    with serving([maker]) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_is_left(server: Any, maker: StandIn) -> Iterator[None]:
    maker.orders.clear()
    yield
    until(lambda: server.line.counts() == (0, 0))


@in_browser
def test_two_clicks_are_one_video_under_a_name_as_long_and_strange_as_files_bear_it(
    server: Any, browser: Browser, maker: StandIn, tmp_path: Path
) -> None:
    sound = first_second(tmp_path / f"речь 你好 {'é' * 90}.wav")
    fill(browser, server.url, sound)
    browser.click("#go", times=2)
    browser.wait(MAKING)
    assert "about 3 s left (50 %)" in browser.ask(STATUS)
    maker.go.release()
    browser.wait(f"{STATUS}.includes('Finished: 25 frames')")
    assert len(maker.orders) == 1 and maker.orders[0].output.name.startswith("ref_речь 你好 éé")
    browser.wait("document.querySelector('#result video')?.readyState === 4")
    browser.click("#take-settings")
    assert browser.downloaded(f"{maker.orders[0].output.stem}.settings.json") == {"seed": 42}


@in_browser
def test_a_video_is_stopped_and_who_closes_the_page_gives_the_place_back(
    server: Any, browser: Browser, maker: StandIn
) -> None:
    browser.open(server.url)
    browser.wait("document.querySelectorAll('#samples .thumbnail-item').length === 2")
    browser.click("#samples .thumbnail-item")
    browser.wait("!!document.querySelector('#portrait img')")
    browser.wait("!document.querySelector('#speech input[type=file]')")
    browser.click("#go")
    browser.wait(MAKING)
    browser.click("#stop")
    browser.wait(f"{STATUS}.includes('Stopped')")
    browser.wait(AT_REST)
    browser.click("#go")
    browser.wait(MAKING)
    assert server.line.counts() == (0, 1)
    browser.open("about:blank#left")
    until(lambda: server.line.counts() == (0, 0))
    assert len(maker.orders) == 2


@in_browser
def test_each_mistake_and_each_trouble_is_a_sentence_and_the_page_works_on(
    server: Any, browser: Browser, maker: StandIn, tmp_path: Path
) -> None:
    browser.open(server.url)
    browser.click("#go")
    browser.wait(f"{STATUS}.includes('Give a portrait first: drop a picture of one person')")
    (tmp_path / "text.wav").write_text("these are words, not sound")
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    good = write_sound(tmp_path / "good.wav", seconds=0.2)
    for portrait, sound, told in (
        (SAMPLE / "ref.png", tmp_path / "text.wav", "text.wav: this audio file cannot be opened"),
        (tmp_path / "phone.heic", good, "phone.heic: this is not a picture that can be read"),
    ):
        browser.open(server.url)
        browser.give_file("#portrait input[type=file]", portrait)
        browser.give_file("#speech input[type=file]", sound)
        browser.wait("!!document.querySelector('#portrait img')")
        browser.wait("!document.querySelector('#speech input[type=file]')")
        browser.click("#go")
        browser.wait(f"{STATUS}.includes('{told}')")
        browser.wait(AT_REST)
    fill(browser, server.url, good)
    maker.error = OSError(28, "No space left on device")
    browser.click("#go")
    browser.wait(MAKING)
    maker.go.release()
    browser.wait(f"{STATUS}.includes('The disk of the server is full')")
    browser.wait(AT_REST)
    browser.click("#go")
    browser.wait(MAKING)
    maker.go.release()
    browser.wait(f"{STATUS}.includes('Finished') && {STATUS}.includes('Nothing can be heard')")


@pytest.mark.slow
@in_browser
def test_uploads_that_went_away_or_cannot_be_taken_are_told(
    server: Any, browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(browser, server.url, first_second(tmp_path / "gone.wav"))
    for name in ("gone.wav", "ref.png"):
        for path in server.folder.rglob(name):
            if "samples" not in path.parts:
                path.unlink()
    browser.click("#go")
    browser.wait(f"{PROBLEM} && {STATUS}.includes('removed after 60 minutes; give it again')")
    monkeypatch.setattr(own_folder, "SPARE_BYTES", 10**18)
    browser.open(server.url)
    browser.give_file("#portrait input[type=file]", SAMPLE / "ref.png")
    browser.wait("document.body.innerText.includes('The disk of the server is full')")
