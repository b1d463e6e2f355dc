"""Small grey pictures, for those who follow motion and need no colours."""

import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from talkvid.records import Array


class LumaReader:
    """Turns decoded frames into small grey pictures, some thirty times cheaper than into RGB."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __call__(self, frame: VideoFrame, size: tuple[int, int], turns: int, longest: int) -> Array:
        """Return grey uint8 (h w) of full range whose longer side is `longest`.

        `size` is (width, height) with square pixels before the `turns` quarter turns that stand it upright.
        """
        width, height = small_size(size, longest)
        method = Interpolation.AREA if width * height < size[0] * size[1] else Interpolation.BILINEAR
        small = self._reformatter.reformat(frame, width, height, "gray", interpolation=method, threads=1)
        return np.ascontiguousarray(np.rot90(small.to_ndarray(), turns))


def small_luma(picture: Array, longest: int) -> Array:
    """Return an RGB (H W 3) uint8 picture as grey uint8 (h w) whose longer side is `longest`."""
    size = picture.shape[1], picture.shape[0]
    small = small_size(size, longest)
    method = cv2.INTER_AREA if small[0] * small[1] < size[0] * size[1] else cv2.INTER_LINEAR
    grey: Array = cv2.cvtColor(cv2.resize(picture, small, interpolation=method), cv2.COLOR_RGB2GRAY)
    return grey


def small_size(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Return (width, height) in the proportion of `size` with the longer one `longest`, none below 1."""
    scale = longest / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
