from pathlib import Path

import numpy as np
import pytest

from talkvid.media.still import still
from talkvid.media.writer import VideoWriter

FPS = 25
STEP = 4
"""Grey levels from one picture to the next, so that a picture tells its number."""


@pytest.fixture(scope="module")
def rising(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video of 50 pictures, each a little brighter, with a key frame every ten."""
    path = tmp_path_factory.mktemp("still") / "rising.mp4"
    with VideoWriter(path, 64, 48, FPS, crf=4, gop=10, preset="ultrafast") as writer:
        for number in range(50):
            writer.write(np.full((48, 64, 3), 20 + STEP * number, np.uint8))
    return path


def number_of(picture: np.ndarray) -> int:
    return round((float(picture.mean()) - 20) / STEP)


def test_the_last_key_frame_before_the_middle_shows_a_span(rising: Path) -> None:
    assert number_of(still(rising, 0.0, 2.0)) == 20
    assert number_of(still(rising, 0.5, 1.9)) == 30


def test_a_span_without_a_key_frame_is_shown_by_its_first_picture(rising: Path) -> None:
    # Once: the key frame before the span was shown, which may belong to another shot.
    assert number_of(still(rising, 0.48, 0.72)) == 12


def test_nothing_outside_a_span_is_ever_shown(rising: Path) -> None:
    for begin in range(0, 48, 3):
        for end in range(begin + 1, 50, 7):
            assert begin <= number_of(still(rising, begin / FPS, end / FPS)) < end


def test_a_span_beyond_the_end_has_no_picture(rising: Path) -> None:
    with pytest.raises(ValueError, match="no picture between"):
        still(rising, 7.0, 9.0)


def test_a_file_that_has_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.mp4"):
        still(tmp_path / "gone.mp4", 0, 1)
