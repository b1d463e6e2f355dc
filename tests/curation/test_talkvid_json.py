import json
from pathlib import Path
from typing import Any

import pytest

from talkvid.curation.talkvid_json import HEAD_SCORES, entry_of, read_entries
from talkvid.dataset.json_lists import seconds

PUBLISHED: dict[str, Any] = {
    "id": "videovideoAbCdEfGhIjk-scene1-scene1",
    "height": 1080,
    "width": 1920,
    "fps": 24.0,
    "start-time": 0.1,
    "start-frame": 0,
    "end-time": 5.141666666666667,
    "end-frame": 121,
    "durations": "5.042s",
    "info": {
        "Person ID": "597",
        "Ethnicity": "White",
        "Age Group": "60+",
        "Gender": "Male",
        "Video Link": "https://www.youtube.com/watch?v=AbCdEfGhIjk",
        "Language": "English",
        "Video Category": "Personal Experience",
    },
    "description": "A man speaks.",
    "dover_scores": 8.9,
    "cotracker_ratio": 0.9271857142448425,
    "head_detail": {"scores": dict.fromkeys(HEAD_SCORES, 97.5)},
}
OLDER: dict[str, Any] = {
    "id": "sample_1",
    "video-id": "original_1",
    "video-path": "video/segment.mp4",
    "audio-path": "audio/segment.wav",
    "description-path": "description.txt",
    "subtitle-path": "subtitle.srt",
    "metadata": {
        "duration": 10.5,
        "resolution": "1920x1080",
        "fps": 25,
        "language": "en",
        "speaker_id": "speaker_001",
        "age_group": "adult",
        "quality_score": 85.2,
    },
}


def write(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def test_the_published_form_is_read_with_all_its_fields() -> None:
    entry = entry_of(PUBLISHED)
    assert (entry.form, entry.id, entry.video_id) == ("published", PUBLISHED["id"], "AbCdEfGhIjk")
    assert (entry.start_s, entry.end_s) == (0.1, 5.141666666666667)
    assert (entry.start_frame, entry.end_frame) == (0, 121)
    assert entry.duration_s == 5.042
    assert (entry.width, entry.height, entry.fps) == (1920, 1080, 24.0)
    assert entry.info == PUBLISHED["info"]
    assert entry.description == "A man speaks."
    assert entry.scores["dover_scores"] == 8.9
    assert {entry.scores[name] for name in HEAD_SCORES} == {97.5}
    assert not entry.problem


def test_the_older_form_is_read_with_all_its_fields() -> None:
    entry = entry_of(OLDER)
    assert (entry.form, entry.id, entry.video_id) == ("paths", "sample_1", "original_1")
    assert (entry.video_path, entry.audio_path) == ("video/segment.mp4", "audio/segment.wav")
    assert (entry.description_path, entry.subtitle_path) == ("description.txt", "subtitle.srt")
    assert (entry.width, entry.height, entry.fps, entry.duration_s) == (1920, 1080, 25.0, 10.5)
    assert entry.info == {"Language": "en", "Person ID": "speaker_001", "Age Group": "adult"}
    assert entry.scores == {"quality_score": 85.2}
    assert entry.start_s is None


def test_scene_records_with_underscores_are_read_too() -> None:
    # Once: subtitles were written under subtitle_path and looked for under subtitle-path.
    entry = entry_of({"video_id": "v", "video_path": "v.mp4", "subtitle_path": "v.vtt"})
    assert (entry.id, entry.video_path, entry.subtitle_path) == ("v", "v.mp4", "v.vtt")


@pytest.mark.parametrize("zero", [0, 0.0, "0", "0.0", "0s", "00:00:00.000"])
def test_a_clip_that_starts_at_zero_starts_at_zero(zero: Any) -> None:
    # Once: `start or other` dropped the clips that start at 0.0.
    assert entry_of({**PUBLISHED, "start-time": zero, "start": 7}).start_s == 0.0


@pytest.mark.parametrize(
    ("text", "value"), [("5.042s", 5.042), ("1:02:03.5", 3723.5), ("02:03", 123.0), (4, 4.0), ("", None)]
)
def test_times_are_read_in_every_form(text: Any, value: float | None) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("wrong", ["soon", float("nan"), "1:x", True, "inf"])
def test_what_is_no_time_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="must be seconds"):
        seconds(wrong)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_list_is_read_whatever_its_length(tmp_path: Path, count: int) -> None:
    # Once: the number of lines decided how a file was read, and a list of one clip broke the next stage.
    values = [{**OLDER, "id": f"clip_{number}"} for number in range(count)]
    expected = [f"clip_{number}" for number in range(count)]
    assert [entry.id for entry in read_entries(write(tmp_path / "list.json", values))] == expected
    lines = tmp_path / "list.jsonl"
    lines.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    assert [entry.id for entry in read_entries(lines)] == expected


def test_one_object_and_an_object_by_id_are_read(tmp_path: Path) -> None:
    assert [entry.id for entry in read_entries(write(tmp_path / "one.json", OLDER))] == ["sample_1"]
    by_id = {"first": {"video-path": "a.mp4"}, "second": {"video-path": "b.mp4"}}
    assert [entry.id for entry in read_entries(write(tmp_path / "by.json", by_id))] == ["first", "second"]


def test_a_torn_list_is_an_error_and_nothing_is_guessed(tmp_path: Path) -> None:
    # Once: many processes appended to one JSON file and a rescue parser guessed where the braces belong.
    torn = tmp_path / "torn.json"
    torn.write_text(json.dumps([OLDER])[:-5], encoding="utf-8")
    with pytest.raises(ValueError, match=r"torn\.json is not complete JSON .* write the list again"):
        read_entries(torn)
    mixed = tmp_path / "mixed.json"  # Once: a second run appended lines behind the list of the first.
    mixed.write_text(json.dumps([OLDER]) + "\n" + json.dumps(OLDER) + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match="not complete JSON"):
        read_entries(mixed)
    with pytest.raises(FileNotFoundError, match=r"gone\.json: no such list"):
        read_entries(tmp_path / "gone.json")


def test_an_entry_that_cannot_be_used_stays_under_its_name_with_its_problem() -> None:
    assert entry_of({**PUBLISHED, "end-time": 0.05}).problem == "entry 1: the span from 0.1 to 0.05 is empty"
    assert entry_of({**PUBLISHED, "fps": "fast"}, 7).problem == "entry 7: fps must be a number, got 'fast'"
    assert entry_of(["a"], 2).problem == "entry 2 is no object but ['a']"
