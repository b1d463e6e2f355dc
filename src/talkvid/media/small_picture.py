"""Small pictures straight from the decoder's planes: what a bilinear downscale of the picture would give.

Bilinear sampling and the change from YUV to RGB are both linear, so their order may be swapped: the planes
are sampled first and only the few samples are converted. That costs a fraction of converting a whole picture.
"""

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.reformatter import VideoReformatter

from talkvid.records import Array

PLANAR = ("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p")
"""8-bit formats whose planes are sampled as they are; others are first converted to PLANAR[0]."""


class SmallPictureReader:
    """Turns decoded frames into small RGB pictures, all of the size that fits the first one."""

    def __init__(self, first: VideoFrame, *, longest: int) -> None:
        scale = max(1.0, max(first.width, first.height) / longest)
        self._half = max(1, round(first.width / scale / 2)), max(1, round(first.height / scale / 2))
        self._to_planes, self._to_rgb = VideoReformatter(), VideoReformatter()

    def __call__(self, frame: VideoFrame) -> Array:
        """Return (h w 3) RGB uint8."""
        if frame.format.name not in PLANAR:
            frame = self._to_planes.reformat(frame, format=PLANAR[0], threads=1)
        width, height = self._half[0] * 2, self._half[1] * 2
        sizes = ((width, height), self._half, self._half)
        sampled = [
            cv2.resize(_samples(plane), size, interpolation=cv2.INTER_LINEAR).ravel()
            for plane, size in zip(frame.planes, sizes, strict=True)
        ]
        planes: Array = np.concatenate(sampled).reshape(-1, width)
        small = VideoFrame.from_ndarray(planes, format="yuv420p")
        small.color_range, small.colorspace = frame.color_range, frame.colorspace
        picture: Array = self._to_rgb.reformat(small, format="rgb24", threads=1).to_ndarray()
        return picture


def _samples(plane: VideoPlane) -> Array:
    """Return (H W) uint8 over the plane's own memory."""
    rows: Array = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    samples: Array = rows[:, : plane.width]
    return samples
