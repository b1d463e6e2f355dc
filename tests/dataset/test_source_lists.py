import json
from pathlib import Path
from typing import Any

import pytest

from talkvid.dataset.prepare_settings import PrepareSettings
from talkvid.dataset.source_lists import read_list
from talkvid.dataset.sources import Source
from tests.dataset.clip_maker import prepare, write_clip, write_sound

PUBLISHED: dict[str, Any] = {
    "id": "videovideoTr6MMsoWAog-scene1-scene1",
    "height": 1080, "width": 1920, "fps": 24.0,
    "start-time": 0.1, "start-frame": 0, "end-time": 5.141, "end-frame": 121, "durations": "5.042s",
    "info": {
        "Person ID": "597", "Ethnicity": "White", "Age Group": "60+", "Gender": "Male",
        "Video Link": "https://www.youtube.com/watch?v=Tr6MMsoWAog", "Language": "English",
        "Video Category": "Personal Experience",
    },
    "description": "A man with glasses speaks.", "dover_scores": 8.9, "cotracker_ratio": 0.93,
    "head_detail": {"scores": {"avg_movement": 97.9, "min_rotation": 78.6}},
}  # fmt: skip
OLDER: dict[str, Any] = {
    "id": "unique_sample_id", "video-id": "original_video_identifier",
    "video-path": "path/to/video/segment.mp4", "audio-path": "path/to/audio/segment.wav",
    "description-path": "path/to/description.txt", "subtitle-path": "path/to/subtitle.srt",
    "metadata": {
        "duration": 10.5, "resolution": "1920x1080", "fps": 25, "language": "en",
        "speaker_id": "speaker_001", "age_group": "adult", "quality_score": 85.2,
    },
}  # fmt: skip
OWN: dict[str, Any] = {
    "clip_id": "0b2c", "video_id": "long", "path": "long.mp4", "start_s": 1.5, "end_s": 4,
    "mouth_late_s": 0.1, "lang": "zh", "status": "kept",
}  # fmt: skip


def write_list(path: Path, value: Any) -> Path:
    text = "\n".join(map(json.dumps, value)) + "\n" if path.suffix == ".jsonl" else json.dumps(value)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["a.json", "b.jsonl", "c.json"])
def test_both_published_forms_and_our_own_are_read_from_every_kind_of_list(tmp_path: Path, name: str) -> None:
    entries: Any = [OLDER, PUBLISHED, OWN]
    if name == "c.json":
        entries = {"unique_sample_id": OLDER, PUBLISHED["id"]: PUBLISHED, "0b2c": OWN}
    older, published, own = read_list(write_list(tmp_path / name, entries))
    assert older == Source(
        "unique_sample_id",
        tmp_path / "path/to/video/segment.mp4",
        tmp_path / "path/to/audio/segment.wav",
        language="en",
        speaker_id="speaker_001",
        stated_s=10.5,
    )
    assert published == Source(
        PUBLISHED["id"], tmp_path / f"{PUBLISHED['id']}.mp4", language="English", speaker_id="597",
        stated_s=5.042,
    )  # fmt: skip
    assert own == Source(
        "0b2c", tmp_path / "long.mp4", start_s=1.5, end_s=4.0, mouth_late_s=0.1, language="zh"
    )


def test_a_list_of_one_object_and_a_text_of_paths_are_read(tmp_path: Path) -> None:
    (only,) = read_list(write_list(tmp_path / "a.json", OLDER))
    assert only.id == "unique_sample_id"
    (tmp_path / "d.txt").write_text("# clips\none.mp4\n\nsub/two.mov\n")
    one, two = read_list(tmp_path / "d.txt", root=Path("/media"), language="zh")
    assert (one.video, one.id, two.id, two.language) == (Path("/media/one.mp4"), "one", "two", "zh")


def test_with_spans_a_published_entry_is_a_part_of_its_original(tmp_path: Path) -> None:
    named = {**PUBLISHED, "id": "b", "video-path": "originals/x.webm", "start-time": "1:02.5", "end-time": 70}
    first, second = read_list(write_list(tmp_path / "a.json", [PUBLISHED, named]), spans=True)
    assert (first.video, first.start_s, first.end_s) == (tmp_path / "Tr6MMsoWAog.mp4", 0.1, 5.141)
    assert (second.video, second.start_s, second.end_s) == (tmp_path / "originals/x.webm", 62.5, 70.0)
    zero = {"video-id": "v", "id": "c", "start-time": 0.0, "end-time": 4}
    (third,) = read_list(write_list(tmp_path / "b.json", [zero]), spans=True)
    assert (third.video, third.start_s, third.end_s) == (tmp_path / "v.mp4", 0.0, 4.0)


@pytest.mark.parametrize(
    ("entry", "name", "problem"),
    [
        ({"language": "en"}, "entry-1", "entry 1: it has neither video-path nor id"),
        ("a.mp4", "entry-1", "entry 1 is no object but 'a.mp4'"),
        (None, "entry-1", "entry 1 is no object but None"),
        ({"id": "a", "start_s": "soon"}, "a", "entry 1: start_s must be seconds, got 'soon'"),
        ({"video": "x/b.mp4", "start_s": 3, "end_s": 2}, "x__b", "the span from 3 to 2 s is empty"),
        ({"id": "a", "mouth_late_s": "nan"}, "a", "mouth_late_s must be seconds, got 'nan'"),
        ({"id": "a", "status": "rejected", "reason": "DUR_SHORT"}, "a", "did not keep it (DUR_SHORT)"),
    ],
)
def test_an_entry_that_cannot_be_used_fails_by_name(
    tmp_path: Path, settings: PrepareSettings, entry: Any, name: str, problem: str
) -> None:
    (source,) = read_list(write_list(tmp_path / "a.json", [entry]))
    assert source.id == name
    assert problem in source.problem
    summary = prepare([source], settings)
    assert summary.total == summary.failed == 1
    assert summary.failures[name] == source.problem


def test_no_entry_vanishes_from_an_object_by_id_or_by_an_id_used_twice(
    tmp_path: Path, settings: PrepareSettings
) -> None:
    write_clip(tmp_path / "a.mp4", sound=write_sound(tmp_path / "a.wav", 2.0))
    by_id = read_list(write_list(tmp_path / "a.json", {"a": {"video": "a.mp4"}, "b": 3}))
    assert [source.id for source in by_id] == ["a", "b"]
    twice = read_list(write_list(tmp_path / "b.json", [{"id": "a"}, {"id": "a"}, {"id": "c"}, 7]))
    assert [source.id for source in twice] == ["a", "a__entry-2", "c", "entry-4"]
    summary = prepare(twice, settings)
    assert (summary.done, summary.failed, summary.total) == (1, 3, 4)
    assert "the id 'a' is used by an earlier entry" in summary.failures["a__entry-2"]
    assert "does not exist" in summary.failures["c"]


def test_an_original_in_place_of_the_cut_clip_is_noticed(tmp_path: Path, settings: PrepareSettings) -> None:
    write_clip(tmp_path / "a.mp4", num_frames=96, sound=write_sound(tmp_path / "a.wav", 4.0))
    sources = read_list(write_list(tmp_path / "a.json", [{"id": "a", "durations": "1.042s"}]))
    assert (
        "the list says the clip lasts 1.04 s, this video 4.00 s" in prepare(sources, settings).failures["a"]
    )
    stated = read_list(write_list(tmp_path / "b.json", [{"id": "a", "durations": "3.9s"}]))
    assert prepare(stated, settings).done == 1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", "{", "is not complete JSON"),
        ("a.json", "3", "expected a list of objects"),
        ("a.json", "[]", "the list is empty"),
        ("a.jsonl", "\n", "the list is empty"),
    ],
)
def test_a_list_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_list(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="no such list"):
        read_list(tmp_path / "missing.json")
