"""What was done to get a number: plain facts that stand beside it in every table."""

from collections.abc import Mapping

from talkvid.records import Array

Fact = str | int | float | bool | None
Facts = Mapping[str, Fact]
"""Crop, size, frame rate, border rule, counts, versions and hashes of one measurement, by name."""


WHOLE = "none, whole pictures as given"
"""The crop of metrics that take pictures as they come; whoever cuts them says so in its place."""


def picture_size(frame: Array) -> str:
    """Return "<width>x<height>" of a picture (H W ...)."""
    return f"{frame.shape[1]}x{frame.shape[0]}"


def checked_frame(frame: Array) -> Array:
    """Return the picture when it is RGB uint8 (H W 3), not empty; ValueError otherwise."""
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != "uint8" or 0 in frame.shape:
        raise ValueError(
            f"a picture is {frame.dtype} {frame.shape}; pictures are RGB uint8 (height, width, 3), 0 to 255"
        )
    return frame


def checked_stack(pictures: Array) -> Array:
    """Return the pictures when they are RGB uint8 (B H W 3), not empty; ValueError otherwise.

    Values of 0 to 1 would go through every network without a word and give another number.
    """
    if pictures.ndim != 4 or not len(pictures):
        raise ValueError(f"pictures are a stack of {pictures.shape}; give (pictures, height, width, 3)")
    checked_frame(pictures[0])
    return pictures
