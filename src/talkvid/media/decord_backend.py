"""The optional decoder decord behind the same doors as PyAV; only asked for by name, extra "decord".

It follows some rotation tags and ignores others, so rotated files are refused; pixel aspect is ignored, a
truncated file fails without giving the frames before the damage, and colours are about one level darker.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from talkvid.extras import require
from talkvid.media.container import open_media, video_stream
from talkvid.media.luma import small_luma
from talkvid.media.video_stream import TimedFrame, first_frame, quarter_turns
from talkvid.records import Array


def timed_frames(path: str | os.PathLike[str], start_s: float, end_s: float | None) -> Iterator[TimedFrame]:
    """Yield the frames from just before `start_s` on, up to the first one at or behind `end_s`."""
    reader = _open(path)
    spans = np.asarray(reader.get_frame_timestamp(range(len(reader))), dtype=np.float64)
    spans = spans - spans[0, 0]
    first = max(0, int(np.searchsorted(spans[:, 0], start_s, side="right")) - 1)
    for index in range(first, len(reader)):
        begin, stop = spans[index].tolist()
        picture = partial(_picture, reader, index)
        yield TimedFrame(begin, stop - begin, picture, partial(_luma, picture))
        if end_s is not None and begin >= end_s:
            return


def _luma(picture: Callable[[], Array], longest: int) -> Array:
    return small_luma(picture(), longest)


def _picture(reader: Any, index: int) -> Array:
    picture: Array = reader[index].asnumpy()
    return picture


def pictures_at(path: str | os.PathLike[str], indices: list[int]) -> Array:
    """Return the frames with these numbers as uint8 (N H W 3)."""
    reader = _open(path)
    if min(indices) < 0 or max(indices) >= len(reader):
        raise ValueError(
            f"{path}: frames {min(indices)} to {max(indices)} are asked for, it has {len(reader)}"
        )
    pictures: Array = reader.get_batch(indices).asnumpy()
    return pictures


def _open(path: str | os.PathLike[str]) -> Any:
    decord = require("decord", extra="decord")
    name = os.fspath(path)
    with open_media(path, what="video") as container:
        if quarter_turns(first_frame(container.decode(video_stream(container, name)), name)):
            raise ValueError(f"{name}: decord does not turn rotated videos reliably; use the pyav backend")
    try:
        return decord.VideoReader(os.path.abspath(name), num_threads=1)
    except Exception as error:  # its own error type exists only where decord is installed
        raise ValueError(f"{name}: decord cannot open this video ({str(error).splitlines()[0]})") from error
