"""Wherever reading begins, the pictures and sounds that come are those of a reading from the beginning."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from talkvid.media import ffmpeg, seek
from talkvid.media.audio import load_audio
from talkvid.media.container import open_media, video_stream
from talkvid.media.frame_scan import scan_frames
from talkvid.media.video import read_at, read_frames
from talkvid.records import Array
from tests.media.conftest import Make

FPS, COUNT = 25, 75
MOVING = ("-f", "lavfi", "-i", f"testsrc2=s=64x48:r={FPS}:d=3,noise=alls=20:allf=t", "-pix_fmt", "yuv420p")
H264 = ("-c:v", "libx264", "-preset", "veryfast", "-g", "12")
OPEN = ("-bf", "3", "-x264-params", "open-gop=1:b-adapt=0")
ENCODINGS = {
    # Once: seeking to the first time stamp of an .mpg came out a group of pictures late (63 of 75 pictures).
    "mpeg1.mpg": ("-f", "mpeg", "-c:v", "mpeg1video", "-g", "12", "-bf", "2", "-b:v", "2M"),
    "mpeg2.mpg": ("-f", "mpeg", "-c:v", "mpeg2video", "-g", "12", "-bf", "2", "-b:v", "2M"),
    "no_b_frames.mpg": ("-f", "mpeg", "-c:v", "mpeg1video", "-g", "12", "-b:v", "2M"),
    "transport.ts": (*H264, "-bf", "3"),
    "open_gop.ts": (*H264, *OPEN),
    # Once: the key picture found by its decoding time was shown after the moment that was sought.
    "b_frames.mp4": (*H264, "-bf", "3"),
    "open_gop.mp4": (*H264, *OPEN),
    # Once: the mended pictures behind a recovery point were taken for whole ones.
    "intra_refresh.mp4": (*H264, "-bf", "0", "-x264-params", "intra-refresh=1"),
    # Once: an AVI, which keeps only the order of decoding, gave H.264's pictures in that order.
    "reordered.avi": (*H264, "-bf", "2"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-g", "12", "-bf", "2"),
    # Once: the scan of a stream without times gave no picture at all.
    "timeless.h264": (*H264, "-bf", "2"),
    "matroska.mkv": (*H264, "-bf", "2"),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_start_gives_the_pictures_of_a_reading_from_the_beginning(make: Make, name: str) -> None:
    path = make(name, *MOVING, *ENCODINGS[name])
    whole = np.stack(list(read_frames(path)))
    assert len(whole) == COUNT
    assert scanned(path, 0.0) == list(range(COUNT))
    for first in (1, 5, 11, 12, 13, 23, 35, 36, 50, 74):
        start_s = first / FPS - 0.3 / FPS
        assert np.array_equal(np.stack(list(read_frames(path, start_s=start_s))), whole[first:])
        assert scanned(path, first / FPS) == list(range(first, COUNT))
        assert np.array_equal(read_at(path, [first])[0], whole[first])


def scanned(path: Path, start_s: float) -> list[int]:
    """Return the numbers that the scan gives; its times must be those of the numbers."""
    with scan_frames(path, start_s=start_s) as scan:
        frames = list(scan)
    assert not scan.damage
    assert all(abs(frame.pts * scan.time_base - Fraction(frame.number, FPS)) < 0.001 for frame in frames)
    return [frame.number for frame in frames]


def test_a_film_that_an_edit_list_begins_between_key_pictures_is_read_from_there(make: Make) -> None:
    film = make("film.mp4", *MOVING, *H264, "-bf", "3")
    cut = make("cut.mp4", "-ss", "0.8", "-i", str(film), "-c", "copy")
    whole = np.stack(list(read_frames(cut)))
    assert len(whole) == COUNT - 20
    assert np.array_equal(whole, np.stack(list(read_frames(film)))[20:])
    for first in (1, 3, 4, 16, 17, 40):
        assert np.array_equal(np.stack(list(read_frames(cut, start_s=first / FPS))), whole[first:])
        assert scanned(cut, first / FPS) == list(range(first, len(whole)))
        assert np.array_equal(read_at(cut, [first])[0], whole[first])


def test_a_file_that_cannot_be_sought_is_read_from_its_beginning(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make("film.mp4", *MOVING, *H264, "-bf", "3")
    with open_media(path, what="video") as container:
        stream = video_stream(container, path)
        stamps = [frame.pts for frame in container.decode(stream)]
        monkeypatch.setattr(seek, "STEPS_BACK_S", ())
        assert [frame.pts for frame in seek.frames_from(container, stream, int(stamps[40] or 0))] == stamps


def test_what_lies_long_before_the_start_is_not_decoded(make: Make) -> None:
    path = make("film.mp4", *MOVING, *H264, "-bf", "3")
    with open_media(path, what="video") as container:
        stream = video_stream(container, path)
        frames = list(seek.frames_from(container, stream, int(2.5 / (stream.time_base or 1))))
        assert 12 <= len(frames) <= 27 and frames[0].key_frame


@pytest.fixture
def late_sound(tmp_path: Path) -> Path:
    """Return a film of 40 s whose sound, a tone, begins at 30 s."""
    path = tmp_path / "late.mkv"
    ffmpeg.run(
        *("-f", "lavfi", "-i", "color=gray:s=32x32:r=10:d=40"),
        *("-itsoffset", "30", "-f", "lavfi", "-i", "sine=440:r=16000:d=10"),
        *("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "flac", path),
    )
    return path


def test_sound_that_begins_behind_a_late_start_has_silence_before_it(late_sound: Path) -> None:
    # Once: what came first behind the place sought was taken for the sound of the start, here 5 s early.
    sound = load_audio(late_sound, rate=16000, start_s=25.0, length_s=10.0)
    assert len(sound) == 160000
    assert abs(loud_from(sound) / 16000 - 5.0) < 0.02


def test_sound_is_in_its_place_where_seeking_lands_late(
    late_sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = av.container.InputContainer.seek
    whole = load_audio(late_sound, rate=16000, start_s=0.0, length_s=38.0)

    class Late:
        """The container, which comes out 3 s after what is sought."""

        def __init__(self, container: av.container.InputContainer) -> None:
            self._container = container

        def __getattr__(self, name: str) -> object:
            return getattr(self._container, name)

        def seek(self, stamp: int, *, stream: av.stream.Stream) -> None:
            real(self._container, stamp + int(3 / (stream.time_base or 1)), stream=stream)

    readings = seek._readings
    monkeypatch.setattr(
        seek,
        "_readings",
        lambda container, stream, stamp, near: readings(Late(container), stream, stamp, near=near),  # type: ignore[arg-type]
    )
    sound = load_audio(late_sound, rate=16000, start_s=34.0, length_s=4.0)
    assert float(np.abs(sound - whole[34 * 16000 :]).max()) < 1e-3


def loud_from(sound: Array) -> int:
    return int(np.argmax(np.abs(sound) > 0.01))
