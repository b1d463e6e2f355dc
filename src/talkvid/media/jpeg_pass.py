"""Pictures as they look after a row of JPEG files, which older tools write between video and network."""

from fractions import Fraction

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import VideoReformatter

from talkvid.records import Array

BIT_RATE = 200_000
"""What ffmpeg's JPEG encoder aims at when nobody says anything; it shares bits out over the pictures."""


class JpegPass:
    """Gives pictures back as `ffmpeg -i VIDEO -f image2 %06d.jpg` and a JPEG reader would, in memory.

    libavcodec's `mjpeg` encoder with its own rate control: what a picture loses depends on the pictures
    before it, so one pass sees the pictures of one video in order. `half_chroma` is 4:2:0, which ffmpeg
    takes for ordinary video; without it 4:4:4, which it takes for RGB video.
    """

    def __init__(self, *, fps: float, half_chroma: bool = True) -> None:
        self._fps = Fraction(fps).limit_denominator(1001)
        self._format = "yuvj420p" if half_chroma else "yuvj444p"
        self._reformatter = VideoReformatter()
        self._context: VideoCodecContext | None = None
        self._count = 0

    def __call__(self, picture: Array) -> Array:
        """Return RGB uint8 (H W 3) as it comes back; ValueError when the size changes in mid-video."""
        height, width = picture.shape[:2]
        context = self._context or self._open(width, height)
        if (context.width, context.height) != (width, height):
            raise ValueError(
                f"picture {self._count} is {width}x{height}, the ones before {context.width}x{context.height}"
            )
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame = self._reformatter.reformat(
            frame, format=self._format, interpolation="BICUBIC", dst_color_range="JPEG", threads=1
        )
        frame.pts, frame.time_base = self._count, 1 / self._fps
        self._count += 1
        packets = context.encode(frame)
        assert len(packets) == 1, len(packets)
        stored = cv2.imdecode(np.frombuffer(bytes(packets[0]), np.uint8), cv2.IMREAD_COLOR)
        assert stored is not None
        return np.asarray(cv2.cvtColor(stored, cv2.COLOR_BGR2RGB))

    def _open(self, width: int, height: int) -> VideoCodecContext:
        context = av.CodecContext.create("mjpeg", "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height, context.pix_fmt = width, height, self._format
        context.time_base, context.framerate = 1 / self._fps, self._fps
        context.bit_rate = BIT_RATE
        context.thread_count = 1
        self._context = context
        return context
