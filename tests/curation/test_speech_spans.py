from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from takes_material import RATE, sound, write_takes

from talkvid.curation.sources import VideoSource
from talkvid.curation.speech_spans import (
    BLOCK_ROWS,
    SoundRows,
    Speech,
    SpeechConfig,
    _blocks,
    listen,
    sound_rows,
)
from talkvid.media import ffmpeg
from talkvid.speech.activity import level_and_flatness, speech_rows

PLAN = (("silence", 1.0), ("speech", 3.0), ("silence", 1.5), ("speech", 2.5), ("silence", 2.0))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_takes(tmp_path_factory.mktemp("talk") / "talk.mp4", (250,), samples=sound(*PLAN))


def heard(video: Path, *, subtitles: str = "", audio: str = "") -> Speech:
    source = VideoSource("v", str(video), subtitles=subtitles, audio=audio)
    return listen(source, has_audio=True, start_s=Fraction(0), end_s=Fraction(10))


def facts(speech: Speech, start_s: float, end_s: float, signal: str = "activity") -> tuple[float, str]:
    found = speech.facts(Fraction(str(start_s)), Fraction(str(end_s)), signal)
    assert found["speech_ratio"] == pytest.approx(found["speech_s"] / (end_s - start_s), abs=1e-4)
    return found["speech_s"], found["speech_by"]


@pytest.mark.parametrize(
    ("start_s", "end_s", "expected_s"), [(0, 10, 5.5), (0, 2.5, 1.5), (4.2, 5.4, 0), (6, 8, 2), (1.5, 3.5, 2)]
)
def test_speech_is_counted_within_the_span(
    video: Path, start_s: float, end_s: float, expected_s: float
) -> None:
    spoken_s, by = facts(heard(video), start_s, end_s)
    assert spoken_s == pytest.approx(expected_s, abs=0.25) and by == "voice activity"


def test_sound_in_pieces_is_heard_as_the_whole() -> None:
    waveform = np.concatenate([sound(*PLAN) for _ in range(8)])
    level, flatness = level_and_flatness(waveform)
    assert len(level) > 2 * BLOCK_ROWS
    pieces = iter(np.array_split(waveform, 777))
    found = [
        np.stack(level_and_flatness(block))[:, before : -after or None]
        for block, before, after in _blocks(pieces, None)
    ]
    assert np.abs(np.concatenate(found, axis=1) - np.stack([level, flatness])).max() < 1e-3
    spoken_s = speech_rows(level, flatness).sum() / 100
    assert spoken_s == pytest.approx(8 * 5.5, rel=0.05)


def test_a_span_is_heard_from_its_own_start(video: Path) -> None:
    every = sound_rows(video)
    some = sound_rows(video, start_s=Fraction(4), end_s=Fraction(9))
    assert len(some.rows) == 500 and some.start_s == 4
    assert np.abs(some.rows.astype(int) - every.rows[400:900]).mean() < 0.02
    assert some.active(Fraction(5), Fraction(6)).size == 100
    assert some.active(Fraction(20), Fraction(21)).size == 0


def test_pauses_lie_between_words(video: Path) -> None:
    [pause] = heard(video).pauses(Fraction(0), Fraction(10))
    assert float(pause) == pytest.approx(4.75, abs=0.15)
    assert heard(video).pauses(Fraction(2), Fraction(3)) == []


def test_subtitles_are_the_second_signal(video: Path, tmp_path: Path) -> None:
    path = tmp_path / "talk.vtt"
    path.write_text("WEBVTT\n\n00:01.000 --> 00:03.000\nhello\n\n00:04.100 --> 00:05.100\n[Music]\nmore\n")
    speech = heard(video, subtitles=str(path))
    assert facts(speech, 0, 10)[1] == "voice activity"
    assert facts(speech, 0, 10, "subtitles") == (3.0, "subtitles")
    assert facts(speech, 3, 4, "subtitles") == (0.0, "subtitles")
    both, either = (facts(speech, 0, 10, signal) for signal in ("both", "either"))
    assert both[0] == pytest.approx(2.0, abs=0.2) and both[1] == "voice activity and subtitles"
    assert either[0] == pytest.approx(6.5, abs=0.25) and either[1] == "voice activity or subtitles"


@pytest.mark.parametrize("signal", ["activity", "subtitles", "both", "either"])
def test_without_subtitles_voice_activity_decides(video: Path, signal: str) -> None:
    # Once: a clip without subtitles was kept unheard.
    spoken_s, by = facts(heard(video), 4.2, 5.4, signal)
    assert spoken_s < 0.3 and by == "voice activity"


def test_subtitles_that_cannot_be_read_are_named_and_the_sound_decides(video: Path) -> None:
    speech = heard(video, subtitles="/nowhere/talk.srt")
    assert "no such subtitle file" in speech.problems["subtitles"]
    assert facts(speech, 0, 10, "subtitles")[1] == "voice activity"


def test_a_sound_of_its_own_is_heard_instead_of_the_videos(video: Path, tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    ffmpeg.run("-f", "lavfi", "-i", f"anullsrc=r={RATE}:cl=mono", "-t", "10", path)
    assert facts(heard(video, audio=str(path)), 0, 10) == (0.0, "voice activity")
    assert "sound" in heard(video, audio=str(tmp_path / "none.wav")).problems


def test_no_sound_is_no_speech() -> None:
    assert facts(Speech(None, None, {}), 0, 10) == (0.0, "no sound")
    assert Speech(None, None, {}).pauses(Fraction(0), Fraction(9)) == []
    assert facts(Speech(None, [(1.0, 2.0)], {}), 0, 10, "either")[0] == 1.0
    nothing = SoundRows(Fraction(0), np.zeros(0, bool))
    assert facts(Speech(nothing, None, {}), 0, 10)[0] == 0


def test_an_unknown_signal_is_named() -> None:
    with pytest.raises(ValueError, match="'vad' is unknown; choose one of activity, subtitles, both, either"):
        SpeechConfig("vad")
