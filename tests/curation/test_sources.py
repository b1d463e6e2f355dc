import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from takes_material import write_takes

from talkvid.curation.sources import Unusable, VideoSource, read_sources, unique_ids

PUBLISHED = {
    "id": "videovideoABCDEFGHIJK-scene1-scene1",
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
        "Video Link": "https://www.youtube.com/watch?v=ABCDEFGHIJK",
        "Language": "English",
    },
    "description": "somebody talks",
}


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def listed(path: Path, values: Any) -> list[VideoSource]:
    path.write_text(json.dumps(values) if path.suffix == ".json" else "\n".join(map(json.dumps, values)))
    return read_sources(path)


def test_a_folder_is_searched_and_equal_names_get_ids_of_their_own(tmp_path: Path) -> None:
    for name in (
        "a/clip.mp4",
        "b/clip.mp4",
        "clip.mp4",
        "clip.mkv",
        "a__clip.mp4",
        ".hidden.mp4",
        "x y/ö!.MOV",
    ):
        touch(tmp_path / name)
    touch(tmp_path / "notes.txt")
    ids = [source.id for source in read_sources(tmp_path)]
    assert len(set(ids)) == len(ids) == 6
    assert {"b__clip", "clip_mp4", "clip_mkv", "x_y__ö_"} <= set(ids) and ids == sorted(ids)
    assert [source.id for source in read_sources(tmp_path)] == ids


def test_ids_are_unique_whatever_the_names() -> None:
    names = [Path(name) for name in ("a/b.mp4", "a__b.mp4", "a?b.mp4", "a!b.mp4", "a!b.mkv", "A!b.mp4")]
    assert len(set(unique_ids(names))) == len(names)


def test_a_video_under_another_name_is_found_and_a_sound_is_none(tmp_path: Path) -> None:
    write_takes(tmp_path / "real.mp4", (5,)).rename(tmp_path / "song.mp3")
    touch(tmp_path / "voice.mp3")
    assert [source.id for source in read_sources(tmp_path)] == ["song.mp3"]


def test_sound_and_subtitles_beside_a_video_belong_to_it(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.wav", "a.en.vtt", "b.mp4", "b.srt", "b.de.vtt", "ab.vtt"):
        touch(tmp_path / name)
    first, second = read_sources(tmp_path)
    assert (Path(first.audio).name, Path(first.subtitles).name) == ("a.wav", "a.en.vtt")
    assert (second.audio, Path(second.subtitles).name) == ("", "b.srt")
    assert set(first.facts()) == {"audio", "subtitles"} and set(second.facts()) == {"subtitles"}


def test_an_empty_folder_and_a_missing_one_are_named(tmp_path: Path) -> None:
    # Once: an empty input ended in a division by zero.
    with pytest.raises(ValueError, match="there is no video in it"):
        read_sources(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder, list or video"):
        read_sources(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="no such list"):
        read_sources(tmp_path / "none.jsonl")
    with pytest.raises(ValueError, match="there is no video in it"):
        listed(tmp_path / "empty.json", [])


@pytest.mark.parametrize("suffix", [".json", ".jsonl"])
def test_the_published_form_means_spans_of_the_originals(tmp_path: Path, suffix: str) -> None:
    original = touch(tmp_path / "ABCDEFGHIJK.mkv")
    [source] = listed(tmp_path / f"list{suffix}", [PUBLISHED])
    assert (source.path, source.start_s, source.end_s) == (str(original), 0.1, 5.141666666666667)
    assert source.id == PUBLISHED["id"] and source.info["info"]["Person ID"] == "597"
    assert (source.info["language"], source.info["original"]) == ("English", "ABCDEFGHIJK")


def test_a_file_named_as_the_clip_is_the_cut_clip(tmp_path: Path) -> None:
    touch(tmp_path / "ABCDEFGHIJK.mp4")
    clip = touch(tmp_path / f"{PUBLISHED['id']}.mp4")
    [source] = listed(tmp_path / "list.json", [PUBLISHED])
    assert (source.path, source.start_s, source.end_s) == (str(clip), 0.0, None)


def test_an_original_that_is_not_there_keeps_its_span_and_its_name(tmp_path: Path) -> None:
    [source] = listed(tmp_path / "list.json", [PUBLISHED])
    assert source.path == str(tmp_path / "ABCDEFGHIJK.mp4") and source.end_s is not None


def test_one_entry_is_a_list_of_one(tmp_path: Path) -> None:
    # Once: a file of one line was read as an object, and a set of one clip broke the next step.
    entry = {"id": "a", "video-path": "v/a.mp4"}
    for name, text in (
        ("one.json", json.dumps(entry)),
        ("list.json", json.dumps([entry])),
        ("one.jsonl", json.dumps(entry)),
        ("by_id.json", json.dumps({"a": {"video-path": "v/a.mp4"}})),
    ):
        (tmp_path / name).write_text(text)
        [source] = read_sources(tmp_path / name)
        assert (source.id, source.path) == ("a", str(tmp_path / "v/a.mp4"))


@pytest.mark.parametrize("dash", ["-", "_"])
def test_the_older_form_names_its_files(tmp_path: Path, dash: str) -> None:
    # Once: keys with a dash were written with an underscore by the next step, and ids got lost on the way.
    entry = {
        "id": "one",
        f"video{dash}id": "orig",
        f"video{dash}path": "v/one.mp4",
        f"audio{dash}path": "a/one.wav",
        f"subtitle{dash}path": "s/one.srt",
        "metadata": {"language": "German", "speaker_id": "p1"},
    }
    [source] = listed(tmp_path / "list.jsonl", [entry])
    assert source.path == str(tmp_path / "v/one.mp4") and source.audio == str(tmp_path / "a/one.wav")
    assert source.subtitles == str(tmp_path / "s/one.srt")
    assert (source.info["language"], source.info["original"]) == ("German", "orig")
    assert read_sources(tmp_path / "list.jsonl", root="/data")[0].path == "/data/v/one.mp4"


def test_a_span_of_its_own_counts_even_in_a_file_named_as_the_clip(tmp_path: Path) -> None:
    [source] = listed(tmp_path / "l.json", [{"id": "a", "video-path": "a.mp4", "start_s": 0.0, "end_s": 4}])
    assert (source.start_s, source.end_s) == (0.0, 4.0)
    [source] = listed(
        tmp_path / "l.json", [{"id": "a", "video-path": "a.mp4", "start-time": 2, "end-time": 4}]
    )
    assert source.end_s is None


def test_a_text_list_holds_a_path_per_line(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_text(
        "\ufeff# my videos\nb/two.mp4\n\n/abs/one.mp4\nhttps://example.org/v.mp4\n"
    )
    sources = {source.id: source for source in read_sources(tmp_path / "l.txt")}
    assert sources["two"].path == str(tmp_path / "b/two.mp4") and sources["one"].path == "/abs/one.mp4"
    assert "talkvid curate download" in sources["v"].problem


def test_entries_that_cannot_be_used_stay_and_say_why(tmp_path: Path) -> None:
    entries = [
        "just a text",
        {"id": "late", "video-path": "a.mp4", "start_s": 9, "end_s": 3},
        {"id": "odd", "video-path": "a.mp4", "start_s": "soon"},
        {"id": "twice", "video-path": "a.mp4"},
        {"id": "twice", "video-path": "b.mp4"},
    ]
    sources = listed(tmp_path / "l.json", entries)
    problems = {source.id: source.problem for source in sources}
    assert len(sources) == 5 and problems["twice"] == ""
    assert "no object" in problems["entry-1"] and "is empty" in problems["late"]
    assert "must be seconds" in problems["odd"] and "used by an earlier entry" in problems["twice__entry-5"]


def test_why_a_source_is_unusable_survives_the_way_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(Unusable("EMPTY_FILE", "it is empty")))
    assert (error.code, str(error)) == ("EMPTY_FILE", "it is empty")
