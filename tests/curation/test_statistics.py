import csv
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from curated_run import FURTHER, write_run
from PIL import Image

from talkvid.curation.comparison import MEASURED, NOT_MEASURED, PUBLISHED, measured
from talkvid.curation.figures_sheet import varied_clips
from talkvid.curation.manifest import CLIPS, write_clips
from talkvid.curation.records import KEPT
from talkvid.curation.report import build_report
from talkvid.curation.report_settings import ReportConfig
from talkvid.curation.report_table import RunTable
from talkvid.curation.statistics import write_statistics
from talkvid.media.writer import VideoWriter

NO_SHEET = ReportConfig(sheet=0, thumbnails=0, title='Faces & $x$ | "quoted"')


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run folder with its statistics."""
    out = tmp_path_factory.mktemp("statistics") / "run"
    write_run(out, videos=40, clips=4)
    write_statistics(out, config=NO_SHEET)
    return out


def test_the_figures_are_pictures_with_something_on_them(run: Path) -> None:
    for name in ("data_distribution.png", "data_filter.png"):
        with Image.open(run / "statistics" / name) as picture:
            assert picture.width > 1000 and picture.height > 300
            assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 50


def test_the_numbers_beside_the_figures_add_up(run: Path) -> None:
    numbers = json.loads((run / "statistics" / "statistics.json").read_text(encoding="utf-8"))
    totals = numbers["totals"]
    parts = [amount["clips"] for status, amount in totals.items() if status != "in"]
    assert totals["in"]["clips"] == sum(parts) == len(RunTable(run))
    assert numbers["funnel"][-1]["passed"]["clips"] == totals[KEPT]["clips"]
    with (run / "statistics" / "data_distribution.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    by_dimension: dict[str, int] = {}
    for row in rows:
        by_dimension[row["dimension"]] = by_dimension.get(row["dimension"], 0) + int(row["kept_clips"])
    assert by_dimension == dict.fromkeys(
        ("duration", "resolution", "frame rate", "language"), totals[KEPT]["clips"]
    )


def test_the_card_begins_with_a_header_that_the_hub_can_read(run: Path) -> None:
    card = (run / "statistics" / "dataset_card.md").read_text(encoding="utf-8")
    _, header, body = card.split("---\n", 2)
    told = yaml.safe_load(header)
    assert told["pretty_name"] == 'Faces & $x$ | "quoted"'
    assert told["license"] == "unknown"
    assert told["language"] == ["en", "fr", "zh"]
    assert told["size_categories"] == ["n<1K"]
    for rule in RunTable(run).rules:
        assert f"`{rule.stage}.{rule.score} {rule.op} {rule.threshold:g}`" in body
    assert "not from DOVER" in body and "not from CoTracker" in body
    assert "CC BY-NC 4.0" in body and "Nobody has told the person" in body


def test_the_card_names_only_files_that_are_there(run: Path) -> None:
    card = (run / "statistics" / "dataset_card.md").read_text(encoding="utf-8")
    named = re.findall(r"\]\(([^)]+)\)", card)
    assert sorted(named) == ["data_distribution.png", "data_filter.png"]
    assert all((run / "statistics" / name).is_file() for name in named)


def test_published_figures_are_marked_and_ours_is_measured(run: Path) -> None:
    with (run / "statistics" / "comparison.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["source"] for row in rows[:1]] == [MEASURED]
    assert all(row["source"].startswith("as published: ") for row in rows[1:])
    assert {row["name"] for row in rows[1:]} == {"TalkVid", "VoxCeleb2", "HDTF", "MEAD", "MultiTalk"}
    assert len(rows) == 1 + len(PUBLISHED)


def test_what_nobody_measured_is_said_to_be_not_measured(run: Path) -> None:
    ours = measured(RunTable(run), name="ours")
    assert (ours.speakers, ours.ages, ours.body, ours.environment) == (NOT_MEASURED,) * 4
    assert ours.languages == "en, fr, zh"
    kept = RunTable(run).seconds[RunTable(run).has(KEPT)].sum() / 3600
    assert float(ours.hours) == pytest.approx(kept, rel=0.01)


def test_the_sheet_shows_different_people_first(tmp_path: Path) -> None:
    rows = [row for row in write_run(tmp_path, videos=60, clips=6) if row.status == KEPT]
    people = [f"p{number % 7}" for number in range(len(rows))]
    rows = [
        replace(row, annotations={"person_id": {"value": person, "by": "clusters"}})
        for row, person in zip(rows, people, strict=True)
    ]
    write_clips(tmp_path / CLIPS, rows, further=FURTHER)
    table = RunTable(tmp_path)
    assert len({people[row] for row in varied_clips(table, most=7)}) == 7
    assert len({people[row] for row in varied_clips(table, most=4)}) == 4
    assert varied_clips(table, most=10_000) == list(range(len(rows)))
    assert varied_clips(table, most=0) == []


def test_the_sheet_is_drawn_from_the_videos_and_taken_away_when_they_have_gone(tmp_path: Path) -> None:
    video = tmp_path / "grey.mp4"
    with VideoWriter(video, 128, 96, 25, preset="ultrafast") as writer:
        for _ in range(10):
            writer.write(np.full((96, 128, 3), 90, np.uint8))
    out = tmp_path / "run"
    rows = [
        replace(row, path=str(video), start_s=0.0, end_s=0.4)
        for row in write_run(out, videos=20, clips=3)
        if row.status == KEPT
    ]
    write_clips(out / CLIPS, rows[:9], further=FURTHER)
    config = ReportConfig(workers=0, sheet=6)
    sheet = write_statistics(out, config=config) / "diversity.png"
    with Image.open(sheet) as picture:
        levels = np.asarray(picture.convert("L"))
        assert abs(int(np.median(levels)) - 90) < 8
    assert "](diversity.png)" in (sheet.parent / "dataset_card.md").read_text(encoding="utf-8")
    page = build_report(out, config=config).read_text(encoding="utf-8")
    assert page.count("background-image:url(data:image/jpeg;base64,") == 9
    video.unlink()
    write_statistics(out, config=config)
    assert not sheet.exists()


def test_report_and_statistics_load_matplotlib_only_when_they_draw() -> None:
    code = (
        "import sys, talkvid.curation.report, talkvid.curation.statistics\n"
        "print([name for name in ('matplotlib', 'pyarrow', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_empty_run_has_statistics(tmp_path: Path) -> None:
    write_clips(tmp_path / CLIPS, [], further=())
    folder = write_statistics(tmp_path, config=NO_SHEET)
    assert (folder / "data_filter.png").is_file() and (folder / "dataset_card.md").is_file()
