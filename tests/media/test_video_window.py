"""Frames read by number are, bit for bit, those of a full decode, and little more than they is decoded."""

import os
from pathlib import Path

import av
import numpy as np
import pytest

from talkvid.media import video_window
from talkvid.media.container import open_media
from talkvid.media.video import read_at, read_frames, read_window
from talkvid.media.video_stream import PictureReader
from talkvid.media.video_window import FrameTables
from tests.media.conftest import Make

MOVING = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=24:d=2,noise=alls=20:allf=t", "-pix_fmt", "yuv420p")
ENCODINGS = {
    "gop_12_b_frames.mp4": ("-c:v", "libx264", "-g", "12", "-bf", "3", "-x264-params", "b-pyramid=normal"),
    "gop_7_many_b_frames.mp4": ("-c:v", "libx264", "-g", "7", "-bf", "6", "-x264-params", "b-adapt=0"),
    "open_gop.mp4": ("-c:v", "libx264", "-g", "9", "-bf", "3", "-x264-params", "open-gop=1:b-adapt=0"),
    "one_key_frame.mp4": ("-c:v", "libx264", "-g", "999"),
    "intra_refresh.mp4": ("-c:v", "libx264", "-g", "10", "-bf", "0", "-x264-params", "intra-refresh=1"),
    "all_key_frames.mp4": ("-c:v", "libx264", "-g", "1"),
    "interlaced.mp4": ("-c:v", "libx264", "-g", "11", "-x264-params", "interlaced=1"),
    "transport_stream.ts": ("-c:v", "libx264", "-g", "10", "-bf", "2"),
    "matroska.mkv": ("-c:v", "libx264", "-g", "10", "-bf", "2"),
    "h265.mp4": ("-c:v", "libx265", "-x265-params", "keyint=13:bframes=4:open-gop=1:log-level=none"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-g", "8", "-bf", "2"),
    "elementary.h264": ("-c:v", "libx264", "-g", "10", "-bf", "2"),
    "uneven_times.mp4": ("-vf", "select='not(eq(mod(n,5),2))'", "-fps_mode", "vfr", "-g", "8", "-bf", "2"),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_windows_equal_a_full_decode_bit_for_bit(make: Make, name: str) -> None:
    path = make(name, *MOVING, *ENCODINGS[name])
    whole = np.stack(list(read_frames(path)))
    assert len(whole) >= 36 and (np.diff(whole.astype(int), axis=0) != 0).any(axis=(1, 2, 3)).all()
    tables = FrameTables()
    # Files that tell no times are decoded from the beginning: fewer windows of these.
    stride = 1 if name.endswith("mp4") else 9
    for first in range(0, len(whole) - 7, stride):
        assert np.array_equal(read_window(path, first, 8, tables=tables), whole[first : first + 8])
    scattered = np.random.default_rng(0).permutation(len(whole))[:9].tolist()
    assert np.array_equal(read_at(path, scattered), whole[scattered])
    with pytest.raises(ValueError, match=rf"are asked for, it has {len(whole)}"):
        read_at(path, [0, len(whole)])


def test_a_file_is_opened_once_and_only_what_is_asked_for_becomes_a_picture(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make("frugal.mp4", *MOVING, "-c:v", "libx264", "-g", "12", "-bf", "3")
    opened: list[str] = []
    converted: list[object] = []

    def counting_open(path: Path, *, what: str) -> object:
        opened.append(str(path))
        return open_media(path, what=what)

    class CountingReader(PictureReader):
        def __call__(self, frame: av.VideoFrame) -> np.ndarray:
            converted.append(frame.pts)
            picture: np.ndarray = super().__call__(frame)
            return picture

    monkeypatch.setattr(video_window, "open_media", counting_open)
    monkeypatch.setattr(video_window, "PictureReader", CountingReader)
    read_at(path, [20, 21, 22, 23, 24, 25, 26, 27, 44])
    assert len(opened) == 1 and len(converted) == 9


def test_frames_with_equal_or_missing_times_are_counted_from_the_beginning(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make("clip.mp4", *MOVING, "-c:v", "libx264", "-g", "12", "-bf", "3")
    whole = list(read_frames(path))
    monkeypatch.setattr(video_window, "scan", lambda *_: None)
    assert np.array_equal(read_at(path, [30, 3]), np.stack([whole[30], whole[3]]))
    with pytest.raises(ValueError, match="frames 3 to 48 are asked for, it has 48"):
        read_at(path, [3, 48])


def test_tables_are_remembered_up_to_their_number_and_until_the_file_changes(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = ("-frames:v", "6", "-c:v", "libx264")
    paths = [make(f"{number}.mp4", *MOVING, *short) for number in range(3)]
    scanned: list[str] = []
    real_scan = video_window.scan

    def counting_scan(container: av.container.InputContainer, stream: av.VideoStream) -> object:
        scanned.append(Path(container.name).name)
        return real_scan(container, stream)

    monkeypatch.setattr(video_window, "scan", counting_scan)
    tables = FrameTables(size=2)
    for path in (paths[0], paths[0], paths[1], paths[0]):
        read_at(path, [5], tables=tables)
    assert scanned == ["0.mp4", "1.mp4"]
    read_at(paths[2], [5], tables=tables)
    assert len(tables) == 2
    paths[0].write_bytes(paths[1].read_bytes())
    os.utime(paths[0], ns=(1, 1))
    read_at(paths[0], [5], tables=tables)
    assert scanned == ["0.mp4", "1.mp4", "2.mp4", "0.mp4"]
