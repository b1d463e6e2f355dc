"""PyAV behind one door: a media file is opened here, and PyAV's errors become one line for the user."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from talkvid.media.files import require_file

LOCAL_FILES_ONLY = {"protocol_whitelist": "file"}


class NoVideoStream(ValueError):
    """The file is whole and holds no moving pictures."""


@contextlib.contextmanager
def open_media(path: str | os.PathLike[str], *, what: str) -> Iterator[InputContainer]:
    """Yield the opened container; only local files are followed (no playlist reaches the network).

    Raises FileNotFoundError or ValueError, one line each, for whatever is wrong with the file.
    """
    path = require_file(path, what=what)
    try:
        container = av.open(
            os.path.abspath(path), container_options=LOCAL_FILES_ONLY, metadata_errors="replace"
        )
    except (av.error.FFmpegError, OSError) as error:
        raise ValueError(
            f"{path}: this {what} cannot be opened ({reason(error)}); "
            "it is cut short or of another type: copy it again or convert it"
        ) from error
    with container:
        if not container.streams.video and not container.streams.audio:
            raise ValueError(
                f"{path}: this {what} holds neither pictures nor sound; it is cut short: copy it again"
            )
        yield container


def reason(error: BaseException) -> str:
    """Return the short text of a PyAV error without its number and file name."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]


def video_stream(container: InputContainer, path: Path | str) -> VideoStream:
    """Return the first moving-picture stream, cover art left aside; raise ValueError when there is none."""
    stream = find_video_stream(container)
    if stream is None:
        raise NoVideoStream(f"{path}: there is no video stream in this file; give a video")
    return stream


def find_video_stream(container: InputContainer) -> VideoStream | None:
    """Return the first moving-picture stream, cover art left aside, or None."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    return None


def audio_stream(container: InputContainer, path: Path | str) -> AudioStream:
    """Return the first audio stream; raise ValueError when there is none."""
    if not container.streams.audio:
        raise ValueError(f"{path}: there is no audio stream in this file; give one with sound")
    return container.streams.audio[0]
