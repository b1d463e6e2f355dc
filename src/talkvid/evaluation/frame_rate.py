"""Pictures of one rate brought to another: nearest in time, as `talkvid.media.video.read_frames` does."""

import math
from collections.abc import Iterable, Iterator

from talkvid.records import Array

SLACK = 1e-6
"""Share of a picture by which a time may miss its place and still count as on it."""


def at_rate(frames: Iterable[Array], *, fps: float, wanted_fps: float) -> Iterator[Array]:
    """Yield pictures (H W 3) at `wanted_fps` of a video whose pictures follow each other after 1 / `fps`.

    Picture k is the one nearest in time to k / wanted_fps, of two equally near ones the earlier;
    max(1, floor(length * wanted_fps + 0.5)) come, none for an empty video. ValueError for a rate that is not
    above 0.
    """
    if not (fps > 0 and wanted_fps > 0):
        raise ValueError(f"frame rates must be above 0, got {fps:g} and {wanted_fps:g}")
    sent = number = 0
    before: Array | None = None
    for number, frame in enumerate(frames):
        while before is not None and sent / wanted_fps * fps <= number - 0.5 + SLACK:
            yield before
            sent += 1
        before = frame
    if before is None:
        return
    for _ in range(sent, max(1, math.floor((number + 1) / fps * wanted_fps + 0.5 + SLACK))):
        yield before
