import json
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from curated_run import FURTHER, broken_file, write_run

from talkvid.curation.manifest import CLIPS, write_clips
from talkvid.curation.records import KEPT, REJECTED
from talkvid.curation.report import build_report
from talkvid.curation.report_settings import ReportConfig

EVIL = "</style><script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
NO_PICTURES = ReportConfig(thumbnails=0)
VOID = {"meta", "br", "rect", "line"}


class Reader(HTMLParser):
    """Collects elements, their attributes and the text, and checks that what opens also closes."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(page: Path) -> Reader:
    reader = Reader()
    reader.feed(page.read_text(encoding="utf-8"))
    assert reader.open == []
    return reader


def test_the_page_is_one_file_that_loads_nothing_and_runs_nothing(tmp_path: Path) -> None:
    write_run(tmp_path, videos=20, clips=3)
    reader = read(build_report(tmp_path, config=NO_PICTURES))
    names = {element for element, _ in reader.elements}
    assert not names & {"script", "link", "iframe", "object", "embed", "img", "form"}
    for _, attributes in reader.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "srcset")]
        assert (attributes.get("href") or "#").startswith("#")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"url\((?!data:image/jpeg;base64,)", text) and "@import" not in text


def test_every_link_of_the_page_leads_to_a_section(tmp_path: Path) -> None:
    write_run(tmp_path, videos=20, clips=3)
    reader = read(build_report(tmp_path, config=NO_PICTURES))
    ids = [attributes["id"] for _, attributes in reader.elements if "id" in attributes]
    links = [attributes["href"] for element, attributes in reader.elements if element == "a"]
    assert len(set(ids)) == len(ids)
    assert links == [f"#{anchor}" for anchor in ids]


def test_file_names_and_reasons_are_shown_and_never_obeyed(tmp_path: Path) -> None:
    rows = write_run(tmp_path, videos=6, clips=4, paths=[f"/media/{EVIL}{number}.mp4" for number in range(6)])
    rows = [
        replace(row, name=f"{EVIL}-scene{row.number}", reason=f"{EVIL}: {row.reason}" if row.reason else "")
        for row in rows
    ]
    rows.append(broken_file(EVIL, f"/x/{EVIL}", code=EVIL, reason=f"{EVIL} is broken"))
    write_clips(tmp_path / CLIPS, rows, further=FURTHER)
    (tmp_path / "config.yaml").write_text(f"input: {EVIL}\n", encoding="utf-8")
    event = {"stage": EVIL, "id": EVIL, "video_id": EVIL, "state": "failed", "fault": EVIL, "reason": EVIL,
             "wall_s": 1.0, "attempts": 2, "host": EVIL}  # fmt: skip
    (tmp_path / "events.jsonl").write_text(json.dumps(event) + "\n", encoding="utf-8")
    reader = read(build_report(tmp_path, title=EVIL, config=NO_PICTURES))
    assert not {element for element, _ in reader.elements} & {"script", "img"}
    assert not [name for _, attributes in reader.elements for name in attributes if name.startswith("on")]
    assert "".join(reader.words).count("<script>alert(1)</script>") > 20


def test_names_that_are_not_unicode_do_not_stop_the_report(tmp_path: Path) -> None:
    write_run(tmp_path, videos=3, clips=2)
    (tmp_path / "events.jsonl").write_text(
        '{"stage": "scan", "id": "a\\udcff", "video_id": "a\\udcff", "wall_s": 3, "state": "done"}\n'
    )
    assert build_report(tmp_path, config=NO_PICTURES).stat().st_size > 10_000


def test_each_reject_stands_with_reason_value_threshold_and_margin(tmp_path: Path) -> None:
    rows = write_run(tmp_path, videos=12, clips=4)
    words = "".join(read(build_report(tmp_path, config=ReportConfig(thumbnails=0, rejects=1000))).words)
    rejected = [row for row in rows if row.status == REJECTED]
    assert len(rejected) > 10
    for row in rejected:
        assert row.reason in words and row.name in words


def test_the_totals_of_the_page_are_those_of_the_table(tmp_path: Path) -> None:
    rows = write_run(tmp_path, videos=30, clips=4)
    words = "".join(read(build_report(tmp_path, config=NO_PICTURES)).words)
    counts = {status: sum(row.status == status for row in rows) for status in (KEPT, REJECTED, "failed")}
    parts = f"{counts[KEPT]} kept + {counts[REJECTED]} rejected + {counts['failed']} failed + 0 unscored"
    assert f"{len(rows)} in = {parts}" in words


def test_embedded_scores_are_never_called_by_the_names_of_the_large_models(tmp_path: Path) -> None:
    # Once: scores of a stand-in were listed under the name of the model they stood for.
    write_run(tmp_path, videos=20, clips=4)
    words = "".join(read(build_report(tmp_path, config=NO_PICTURES)).words)
    for name in ("DOVER", "CoTracker"):
        assert {words[found.start() - 4 : found.start()] for found in re.finditer(name, words)} == {"not "}


def test_damaged_lines_of_events_are_counted_and_the_others_used(tmp_path: Path) -> None:
    write_run(tmp_path, videos=4, clips=2)
    good = {
        "stage": "head",
        "id": "c",
        "video_id": "slow-one",
        "state": "done",
        "wall_s": 75.0,
        "attempts": 2,
    }
    (tmp_path / "events.jsonl").write_text(json.dumps(good) + '\n{"stage": "head", "wal\n[1]\n')
    words = "".join(read(build_report(tmp_path, config=NO_PICTURES)).words)
    assert "slow-one" in words and "1:15.0" in words
    assert "2 lines of events.jsonl could not be read" in words
    assert "Tried more than once: 1 files or clips" in words


def test_failed_attempts_are_listed_by_stage_and_code(tmp_path: Path) -> None:
    write_run(tmp_path, videos=4, clips=2)
    late = {"stage": "score", "video_id": "v", "state": "failed", "wall_s": 9.0, "fault": "TIMEOUT",
            "reason": "not finished after 9 s"}  # fmt: skip
    (tmp_path / "events.jsonl").write_text(
        "".join(f"{json.dumps({**late, 'id': str(n)})}\n" for n in range(3))
    )
    words = " ".join(read(build_report(tmp_path, config=NO_PICTURES)).words)
    assert re.search(r"score\s+TIMEOUT\s+3\s+not finished after 9 s", words)


def test_an_empty_run_and_one_that_failed_entirely_have_a_page(tmp_path: Path) -> None:
    # Once: an empty input ended in a division by zero.
    for folder, rows in (("empty", []), ("failed", [broken_file("a", "/a.mp4")])):
        (tmp_path / folder).mkdir()
        write_clips(tmp_path / folder / CLIPS, rows, further=())
        page = build_report(tmp_path / folder)
        assert "The run has noted no times" in page.read_text(encoding="utf-8")


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="talkvid curate run"):
        build_report(tmp_path)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match=r"report\.each must be at least 0"):
        ReportConfig(each=-1)
    with pytest.raises(ValueError, match=r"report\.thumbnail_s must be above 0"):
        ReportConfig(thumbnail_s=0)


@pytest.mark.slow
def test_a_hundred_thousand_rows_take_less_than_a_minute_and_five_megabytes(tmp_path: Path) -> None:
    rows = write_run(tmp_path, videos=21_500, clips=5)
    assert len(rows) > 100_000
    begin = time.process_time()
    page = build_report(tmp_path, config=NO_PICTURES)
    assert time.process_time() - begin < 60
    assert page.stat().st_size < 5_000_000
