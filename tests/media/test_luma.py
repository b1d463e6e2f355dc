"""Small grey pictures come out alike from the decoder's planes and from the colours."""

from pathlib import Path

import av
import numpy as np
import pytest

from talkvid.media.luma import LumaReader, small_luma, small_size
from talkvid.media.video_pick import pick_pictures
from talkvid.media.video_stream import Picture
from talkvid.media.video_window import FrameTables
from talkvid.records import Array


def gradient(number: int, height: int, width: int) -> Array:
    """Return a picture whose brightness tells place and number, with little colour."""
    across = np.linspace(20, 200, width)[None, :] + np.linspace(0, 30, height)[:, None] + number
    return np.repeat(np.clip(across, 0, 255)[..., None], 3, axis=2).astype(np.uint8)


def written(path: Path, *, height: int, width: int, pixels: str) -> Path:
    """Write three gradients and return the path."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(gradient(number, height, width), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p", "yuv420p10le", "bgr0"])
@pytest.mark.parametrize(("height", "width"), [(270, 480), (480, 270), (90, 120)])
def test_grey_from_the_decoder_equals_grey_from_colours(
    tmp_path: Path, height: int, width: int, pixels: str
) -> None:
    path = written(tmp_path / "a.mkv", height=height, width=width, pixels=pixels)
    for _, picture in pick_pictures(path, [0, 2], tables=FrameTables()):
        grey, reference = picture.luma(160), small_luma(picture.rgb(), 160)
        assert grey.shape == reference.shape and max(grey.shape) == 160
        assert np.abs(grey.astype(int) - reference).max() <= 4


def test_a_picture_lying_on_its_side_is_turned_upright() -> None:
    frame = av.VideoFrame.from_ndarray(gradient(0, 90, 160), format="rgb24")
    turned = LumaReader()(frame, (160, 90), 1, 80)
    assert turned.shape == (80, 45)
    assert turned[0].mean() > turned[-1].mean() + 100  # the bright right side is on top now


def test_sizes_keep_the_proportion_and_never_vanish() -> None:
    assert small_size((1920, 1080), 320) == (320, 180)
    assert small_size((1080, 1920), 320) == (180, 320)
    assert small_size((3000, 2), 320) == (320, 1)


def test_an_array_as_a_picture_gives_copies() -> None:
    array = gradient(0, 20, 30)
    picture = Picture.of(array)
    picture.rgb()[:] = 0
    assert picture.rgb().max() > 0 and picture.luma(15).shape == (10, 15)
