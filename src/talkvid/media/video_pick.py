"""Chosen pictures of a video one after another: exact numbers, one pass, one picture in memory at a time."""

import logging
import os
from collections.abc import Iterator, Sequence

import av

from talkvid.media.container import open_media, reason, video_stream
from talkvid.media.video_stream import Picture, decoded_frames
from talkvid.media.video_window import FrameTables, check_range, decode_run

logger = logging.getLogger(__name__)


def pick_pictures(
    path: str | os.PathLike[str], indices: Sequence[int], *, tables: FrameTables
) -> Iterator[tuple[int, Picture]]:
    """Yield (number, picture) of the pictures with these numbers, which ascend; convert each before the next.

    Pictures are numbered in the order they are shown, from 0.  Decoding, on one thread, goes from the key
    frame before a picture to that picture, and in H.264 leaves out the pictures between on which nothing
    hangs.  A file whose packets do not tell, or that decodes otherwise than they tell, is counted from its
    beginning.  Raises FileNotFoundError or ValueError, one line each, for what is wrong with the file.
    """
    name = os.fspath(path)
    done = 0
    with open_media(path, what="video") as container:
        stream = video_stream(container, name)
        stream.codec_context.thread_count = 1
        table = tables.of(container, stream)
        if table is not None:
            check_range(name, indices, len(table.stamps))
            try:
                for key, run in table.runs(indices):
                    for expected, (index, picture) in zip(
                        run, decode_run(container, stream, table, key=key, run=run), strict=False
                    ):
                        if index != expected:
                            break
                        yield index, picture
                        done += 1
                    if done < len(indices) and indices[done] <= run[-1]:
                        break
            except (av.error.FFmpegError, OSError) as error:
                logger.debug("%s: decoding from the beginning (%s)", name, reason(error))
    if done < len(indices):
        yield from _counted(name, indices[done:])


def _counted(name: str, indices: Sequence[int]) -> Iterator[tuple[int, Picture]]:
    """Yield pictures by counting what is shown from the beginning on."""
    wanted, count = set(indices), 0
    with open_media(name, what="video") as container:
        stream = video_stream(container, name)
        for number, frame in enumerate(decoded_frames(container, stream, name, on_damage="raise")):
            count = number + 1
            if number in wanted:
                yield number, Picture(frame.picture, frame.luma)
            if number == indices[-1]:
                return
    check_range(name, indices, count)
