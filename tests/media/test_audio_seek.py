"""A late start in a long video: only what lies shortly before it is decoded, and no sample is elsewhere."""

from pathlib import Path

import numpy as np
import pytest
from av.audio.frame import AudioFrame

from talkvid.media import audio_stream, ffmpeg
from talkvid.media.audio import load_audio
from talkvid.media.audio_stream import stream_audio
from talkvid.records import Array

LENGTH_S, RATE = 40, 48000


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 40 s of a video whose tone rises all the time."""
    path = tmp_path_factory.mktemp("sound") / "long.mp4"
    tone = f"aevalsrc='0.5*sin(2*PI*(200*t+30*t*t))':s={RATE}:d={LENGTH_S}"
    ffmpeg.run(
        *("-f", "lavfi", "-i", f"color=gray:s=32x32:r=10:d={LENGTH_S}", "-f", "lavfi", "-i", tone),
        *("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", path),
    )
    return path


def converted(source: Path, name: str, *arguments: str) -> Path:
    target = source.with_name(name)
    ffmpeg.run(*arguments, "-i", source, "-c", "copy", target)
    return target


@pytest.mark.parametrize("start_s", [20.0, 25.3, 31.123456, 38.5])
def test_a_late_start_gives_the_samples_that_decoding_from_the_beginning_gives(
    sound: Path, start_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    sought = load_audio(sound, rate=RATE, start_s=start_s, length_s=1.0)
    monkeypatch.setattr(audio_stream, "SEEK_AFTER_S", 1e9)
    whole = load_audio(sound, rate=RATE, start_s=start_s, length_s=1.0)
    assert len(sought) == len(whole)
    assert float(np.abs(sought - whole).max()) < 1e-4


def test_of_a_long_video_only_the_part_before_the_start_is_decoded(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    decode = audio_stream.to_float

    def noted(frame: AudioFrame) -> Array:
        seen.append(frame.samples)
        return decode(frame)

    monkeypatch.setattr(audio_stream, "to_float", noted)
    next(stream_audio(sound, start_s=35.0))
    assert sum(seen) < 4 * RATE


def test_matroska_is_in_step_within_its_clock_of_a_millisecond(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = converted(sound, "long.mkv")
    sought = load_audio(film, rate=RATE, start_s=30.0, length_s=1.0)
    monkeypatch.setattr(audio_stream, "SEEK_AFTER_S", 1e9)
    whole = load_audio(film, rate=RATE, start_s=30.0 - 0.005, length_s=1.01)
    fits = [float(sought[:40000] @ whole[lag : lag + 40000]) for lag in range(480)]
    assert abs(int(np.argmax(fits)) - 240) <= 48


def test_a_start_behind_the_end_is_still_an_error(sound: Path) -> None:
    with pytest.raises(ValueError, match="lies behind the end of the sound"):
        next(stream_audio(sound, start_s=45.0))
