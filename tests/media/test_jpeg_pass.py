"""Pictures that went through a row of JPEG files in memory."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from talkvid.media import ffmpeg
from talkvid.media.jpeg_pass import JpegPass
from talkvid.records import Array


def drawn(count: int, height: int, width: int) -> Array:
    """Return RGB (count height width 3) uint8 with so much detail that the encoder must save bits."""
    rng = np.random.default_rng(0)
    cells = rng.uniform(0, 255, (count, 60, 80, 3)).astype(np.float32)
    return np.stack([cv2.resize(cell, (width, height)) for cell in cells]).astype(np.uint8)


@pytest.mark.parametrize(("half_chroma", "size"), [(True, (96, 128)), (False, (96, 128)), (True, (75, 101))])
def test_the_pass_does_what_ffmpegs_jpeg_files_do(
    half_chroma: bool, size: tuple[int, int], tmp_path: Path
) -> None:
    pictures = drawn(12, *size)
    height, width = size
    source = tmp_path / "pictures.raw"
    source.write_bytes(pictures.tobytes())
    ffmpeg.run(
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "25", "-i", source),
        *("-threads", "1", "-pix_fmt", "yuvj420p" if half_chroma else "yuvj444p", "-f", "image2"),
        tmp_path / "%06d.jpg",
    )
    files = sorted(tmp_path.glob("*.jpg"))
    passed = JpegPass(fps=25, half_chroma=half_chroma)
    ours = [passed(picture) for picture in pictures]
    assert len(files) == len(ours) == 12
    for path, picture, before in zip(files, ours, pictures, strict=True):
        stored = cv2.imread(str(path))
        assert stored is not None and picture.dtype == np.uint8
        lost = np.abs(picture.astype(int) - before).mean()
        # Another build of the encoder may round otherwise; the loss itself is much larger.
        assert np.abs(stored[..., ::-1].astype(int) - picture).mean() < 0.25 * lost and lost > 0.5


def test_a_picture_depends_on_the_ones_before_but_not_on_another_pass() -> None:
    pictures = drawn(8, 96, 128)
    first, second = JpegPass(fps=25), JpegPass(fps=25)
    ours = [first(picture) for picture in pictures]
    assert all((second(picture) == told).all() for picture, told in zip(pictures, ours, strict=True))
    assert (JpegPass(fps=25)(pictures[-1]) != ours[-1]).any()


def test_a_size_that_changes_is_refused() -> None:
    passed = JpegPass(fps=25)
    passed(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(ValueError, match="picture 1 is 32x64, the ones before 64x64"):
        passed(np.zeros((64, 32, 3), np.uint8))
