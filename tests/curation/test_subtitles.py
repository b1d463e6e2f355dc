import json
from pathlib import Path
from typing import Any

import pytest

from talkvid.curation.subtitles import overlap_s, parse_subtitles, read_subtitles, speech_of

STORED: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data/curation/vocal_check.json").read_text(encoding="utf-8")
)


def joined(times: list[list[float]]) -> list[tuple[float, float]]:
    result: list[tuple[float, float]] = []
    for start, end in times:
        if result and start <= result[-1][1]:
            result[-1] = result[-1][0], end
        else:
            result.append((start, end))
    return result


@pytest.mark.parametrize("name", list(STORED["cases"]))
def test_the_stored_texts_are_read_as_they_should(name: str) -> None:
    # Once: no cue was found in a file with commas in its times, none in one with MM:SS, and the last cue of a
    # file without an empty line at its end was lost; any cue setting but one counted as speech, and so did
    # [music], [Applause] and times in notes; ends that only touch counted as an overlap.
    case = STORED["cases"][name]
    speech = speech_of(parse_subtitles(case["text"]))
    assert speech == [pytest.approx(span) for span in joined(case["speech_cues_expected"])]
    assert [overlap_s(speech, *span) > 0 for span in STORED["spans"]] == case["should_vocal"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<v Anna><i>well</i></v>", "well"),
        ("{\\an8}up here", "up here"),
        ("[door shuts] who is it?", "who is it?"),
        ("(laughs)", ""),
        ("【音乐】", ""),
        ("\uff08笑\uff09 你好", "你好"),
        ("♪ la la la", ""),
        ("♪ la ♪ she said ♪ la ♪", "she said"),
        ("...", ""),
        ("- ", ""),
        ("&nbsp;", ""),
        ("fish &amp; chips", "fish & chips"),
        ("<00:00:01.500><c> yes</c>", "yes"),
    ],
)
def test_what_is_said_is_told_from_what_only_sounds(text: str, said: str) -> None:
    [cue] = parse_subtitles(f"1\n00:00:01,000 --> 00:00:02,000 X1:0 X2:99\n{text}")
    assert cue.spoken == said


def test_every_way_to_write_a_time_is_read() -> None:
    text = (
        "WEBVTT\n\n0:01 --> 00:02.5\na\n\n00:00:03,25-->00:00:04\nb\n\n1:00:00.000 --> 1:00:01.000 line:0\nc"
    )
    assert [(cue.start_s, cue.end_s, cue.text) for cue in parse_subtitles(text)] == [
        (1, 2.5, "a"),
        (3.25, 4, "b"),
        (3600, 3601, "c"),
    ]


def test_notes_styles_and_numbers_are_no_words() -> None:
    text = (
        "WEBVTT - a title\n\nSTYLE\n::cue { color: red }\n\nNOTE\n00:09.000 --> 00:10.000\nstill a note\n\n"
        "intro\n00:01.000 --> 00:02.000\none\n2\n00:03.000 --> 00:04.000\ntwo\nNOTE this is said\n\n"
        "REGION\nid:a\n"
    )
    cues = parse_subtitles(text)
    assert [cue.text for cue in cues] == ["one", "two\nNOTE this is said"]


def test_cues_come_in_the_order_of_time_and_those_that_end_before_they_start_do_not() -> None:
    text = "00:05.000 --> 00:06.000\nb\n\n00:09.000 --> 00:08.000\nnever\n\n00:01.000 --> 00:05.500\na\n"
    cues = parse_subtitles(text)
    assert [cue.text for cue in cues] == ["a", "b"]
    assert speech_of(cues) == [(1, 6)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_told_apart(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.srt"
    path.write_bytes("1\r\n00:00:01,000 --> 00:00:02,000\r\nça va là\r\n".encode(encoding))
    assert [cue.spoken for cue in read_subtitles(path)] == ["ça va là"]


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    # Once: a missing file of subtitles ended the whole stage.
    with pytest.raises(FileNotFoundError, match="no such subtitle file"):
        read_subtitles(tmp_path / "none.vtt")
    odd = tmp_path / "odd.vtt"
    odd.write_text("WEBVTT\n\n1s --> 2s\nhello\n")
    with pytest.raises(ValueError, match="in no known form"):
        read_subtitles(odd)
    odd.write_text("")
    assert read_subtitles(odd) == []


def test_only_a_real_overlap_counts() -> None:
    speech = [(1.0, 3.0), (5.0, 7.5)]
    assert overlap_s(speech, 3.0, 5.0) == 0
    assert overlap_s(speech, 2.5, 5.25) == pytest.approx(0.75)
