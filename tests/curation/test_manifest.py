"""clips.parquet: what is written comes back, and equal rows give equal bytes."""

import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from talkvid.curation import manifest
from talkvid.curation.manifest import ClipRow, iterate_clips, read_clips, span_columns, table, write_clips
from talkvid.curation.records import Check, Span


def row(number: int, **changed: object) -> ClipRow:
    start = 1001 * 30 * number
    span = Span(
        "vidé", "/videos/a b.mp4", number, start, start + 45045, (1, 30000), 30 * number, 45, 640, 480,
        30000 / 1001, vfr=bool(number % 2), has_audio=True, facts={"language": "de", "speech_s": 1.25},
    )  # fmt: skip
    scores = {"scan": {"duration_s": 1.5015}, "head": {"avg_movement": 80 + 1 / 3}}
    if number % 3:
        scores["motion"] = {"point_track_ratio": 0.1 * number}
    made = ClipRow(
        **span_columns(span),
        status="rejected",
        code="HEAD_MOVEMENT",
        reason="…",
        failed_stage="head",
        scores=scores,
        backends={stage: "embedded" for stage in scores if stage != "scan"},
        signatures={"head": "00ff"},
        checks=tuple(
            Check("head", "avg_movement", 80 + 1 / 3, ">=", 90.0, "HEAD_MOVEMENT", False)
            for _ in range(number)
        ),
        annotations={"caption": {"value": "a person", "by": "template"}} if number == 2 else {},
    )
    return replace(made, **changed)  # type: ignore[arg-type]


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    rows = [row(number) for number in range(5)]
    assert write_clips(tmp_path / "clips.parquet", rows) == 5
    assert read_clips(tmp_path) == rows
    assert rows[3].span.clip_id == rows[3].clip_id
    assert rows[3].span.start_s == Fraction(3 * 30 * 1001, 30000)


def test_columns_are_those_of_all_rows_and_absent_scores_are_null(tmp_path: Path) -> None:
    write_clips(tmp_path / "clips.parquet", [row(0), row(1)])
    found = table(tmp_path / "clips.parquet")
    names = found.column_names
    assert names[names.index("failed_stage") + 1 :] == [
        "score.scan.duration_s", "score.head.avg_movement", "score.motion.point_track_ratio",
        "backend.head", "backend.motion", "signature.head", "checks", "facts", "annotations",
    ]  # fmt: skip
    assert found["score.motion.point_track_ratio"].to_pylist() == [None, 0.1]
    assert found["checks"].to_pylist()[1][0]["margin"] == pytest.approx(80 + 1 / 3 - 90)


def test_equal_rows_give_equal_bytes_however_many_groups_they_fill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "ROWS_PER_GROUP", 4)
    rows = [row(number % 6) for number in range(11)]
    for name in ("a", "b"):
        write_clips(tmp_path / name, iter(rows))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert list(iterate_clips(tmp_path / "a")) == rows
    random.Random(0).shuffle(rows)
    write_clips(tmp_path / "c", rows)
    assert (tmp_path / "c").read_bytes() != (tmp_path / "a").read_bytes()


def test_an_empty_table_has_its_columns(tmp_path: Path) -> None:
    assert write_clips(tmp_path / "clips.parquet", []) == 0
    assert read_clips(tmp_path) == []
    assert "status" in table(tmp_path / "clips.parquet").column_names


def test_no_time_host_or_attempt_is_in_the_table() -> None:
    words = {"time", "host", "attempts", "seconds", "wall_s", "created"}
    assert not words & set(manifest.COLUMNS)


def test_a_folder_without_a_run_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="make it with: talkvid curate run"):
        read_clips(tmp_path)
