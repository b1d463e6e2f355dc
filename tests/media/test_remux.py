"""Nameless copies: the pictures and the sound stay, everything that tells their origin goes."""

from pathlib import Path

import av
import numpy as np
import pytest

from talkvid.media import ffmpeg
from talkvid.media.remux import codecs, nameless_copy, nameless_encode
from talkvid.media.video import probe, read_frames

SECRET = "SystemZebra"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video whose container, streams and chapters bear a name."""
    folder = tmp_path_factory.mktemp("told")
    chapters = folder / "chapters.txt"
    chapters.write_text(f";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle={SECRET}\n")
    ffmpeg.run(
        *("-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=1"),
        *("-f", "lavfi", "-i", "sine=frequency=300:duration=1", "-i", chapters, "-map_metadata", "2"),
        *("-metadata", f"comment={SECRET}", "-metadata", "creation_time=2024-05-05T05:05:05Z"),
        *("-metadata:s:v", f"handler_name={SECRET}", "-metadata:s:a", f"handler_name={SECRET}"),
        *("-metadata:s:a", "language=deu"),
        *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags", "+use_metadata_tags"),
        *("-metadata", f"model={SECRET}", folder / "told.mp4"),
    )
    return folder / "told.mp4"


def test_no_tag_name_time_or_encoder_is_left_and_no_picture_changes(told: Path, tmp_path: Path) -> None:
    # Once: videos for raters named the system that had made them in their metadata.
    before = told.read_bytes()
    assert SECRET.encode() in before and b"x264 - core" in before
    nameless_copy(told, tmp_path / "copy.mp4")
    after = (tmp_path / "copy.mp4").read_bytes()
    for trace in (SECRET.encode(), b"x264", b"Lavf", b"deu"):
        assert trace not in after, trace
    with av.open(str(tmp_path / "copy.mp4")) as container:
        assert "creation_time" not in container.metadata
    assert (tmp_path / "copy.mp4").stat().st_mtime == 0
    assert probe(tmp_path / "copy.mp4").has_audio
    assert np.array_equal(list(read_frames(told)), list(read_frames(tmp_path / "copy.mp4")))


def test_what_does_not_play_everywhere_is_told_and_can_be_encoded_anew(tmp_path: Path) -> None:
    odd = tmp_path / "odd.mkv"
    ffmpeg.run(
        *("-f", "lavfi", "-i", "testsrc=size=65x49:rate=25:duration=0.4"),
        *("-f", "lavfi", "-i", "sine=duration=0.4", "-metadata", f"title={SECRET}"),
        *("-c:v", "ffv1", "-c:a", "flac", odd),
    )
    assert codecs(odd).video == "ffv1" and not codecs(odd).in_every_browser
    nameless_encode(odd, tmp_path / "anew.mp4")
    assert codecs(tmp_path / "anew.mp4").in_every_browser
    info = probe(tmp_path / "anew.mp4")
    assert (info.width, info.height, len(list(read_frames(tmp_path / "anew.mp4")))) == (64, 48, 10)
    data = (tmp_path / "anew.mp4").read_bytes()
    for trace in (SECRET.encode(), b"x264", b"Lavf", b"Lavc"):
        assert trace not in data, trace
