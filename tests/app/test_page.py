"""The page in a real browser with the real model: upload, generate, play, take home; look, read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from curated_run import write_run

from tests.app.made_up import first_second
from tests.app.served import BUSY_MACHINE_S, STATUS, fill, in_browser, serving
from tests.browser import Browser

pytest.importorskip("gradio", reason="the extra app (gradio) is not installed")
TABS = "[...document.querySelectorAll('button[role=tab]')]"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("served")
    write_run(folder / "run", videos=3, clips=2)
    (folder / "report.html").write_text(
        "<h1>Figures</h1><script>parent.broken = 1</script>", encoding="utf-8"
    )
    with serving(curated=folder / "run", report=folder) as running:
        yield running


@in_browser
def test_a_portrait_and_a_moment_of_speech_become_a_video_that_plays(
    server: Any, browser: Browser, tmp_path: Path
) -> None:
    fill(browser, server.url, first_second(tmp_path / "one.wav", seconds=0.6))
    browser.click("#go")
    browser.wait(f"{STATUS}.includes('Finished: 15 frames')", deadline_s=BUSY_MACHINE_S)
    video = "document.querySelector('#result video')"
    browser.wait(f"!!{video} && {video}.readyState === 4")
    browser.ask(f"{video}.play() && 1")
    browser.wait(f"{video}.currentTime > 0.3 && {video}.videoWidth === 512 && !{video}.error")
    browser.wait("!document.querySelector('#go').disabled && document.querySelector('#stop').disabled")
    browser.click("#take-settings")
    taken = browser.downloaded("ref_one.settings.json")
    assert taken["synthetic"] is True and taken["inputs"]["audio"]["path"] == "one.wav"
    assert "/tmp" not in json.dumps(taken)
    outside = [asked for asked in browser.requested if not asked.startswith((server.url, "data:", "blob:"))]
    assert len(browser.requested) > 20 and outside == [] and browser.errors == []


@in_browser
def test_the_other_tabs_show_a_data_set_and_a_report_on_a_phone_too(server: Any, browser: Browser) -> None:
    browser.resize(390, 844)
    try:
        browser.open(server.url)
        browser.wait(f"{TABS}.filter(one => one.innerText === 'Report').length > 0")
        browser.ask(f"{TABS}.filter(one => one.innerText === 'Data set')[0].click()")
        browser.wait("document.querySelectorAll('#clips .thumbnail-item').length === 6")
        browser.ask("document.querySelector('#clips .thumbnail-item').click()")
        browser.wait("document.body.innerText.includes('this video does not exist')")
        browser.wait("document.body.innerText.includes('scan.duration_s >= 3')")
        assert browser.ask("document.documentElement.scrollWidth") <= 390
        browser.ask(f"{TABS}.filter(one => one.innerText === 'Report')[0].click()")
        browser.wait("!!document.querySelector('iframe.report')")
        assert browser.ask("document.querySelector('iframe.report').getAttribute('sandbox')") == ""
        assert browser.ask("window.broken === undefined")
    finally:
        browser.resize(1280, 1000)
