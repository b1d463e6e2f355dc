"""One picture that shows what a part of a video is about, for the price of few decoded frames."""

import os

from talkvid.media.container import open_media, video_stream
from talkvid.media.video_stream import decoded_frames
from talkvid.records import Array

TIME_SLACK = 1e-6


def still(path: str | os.PathLike[str], start_s: float, end_s: float) -> Array:
    """Return a picture from the span as uint8 (H W 3): its last key frame before the middle, else its first.

    Times count from the file's first picture. Where the span holds a key frame only that one is decoded;
    pictures before the span are never shown, for they may belong to another shot. Raises FileNotFoundError,
    or ValueError when nothing of the span decodes.
    """
    name = os.fspath(path)
    with open_media(path, what="video") as container:
        stream = video_stream(container, name)
        middle_s = (start_s + end_s) / 2
        for frame in decoded_frames(container, stream, name, on_damage="warn", start_s=middle_s):
            if frame.time_s >= end_s - TIME_SLACK:
                break
            if frame.time_s >= start_s - TIME_SLACK:
                return frame.picture()
    raise ValueError(f"{name}: no picture between {start_s:.2f} s and {end_s:.2f} s can be decoded")
