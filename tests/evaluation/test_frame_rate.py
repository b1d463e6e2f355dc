"""Pictures of one rate brought to another, beside what decoding at that rate gives."""

from pathlib import Path

import numpy as np
import pytest

from talkvid.evaluation.frame_rate import at_rate
from talkvid.media.video import read_frames
from talkvid.media.writer import VideoWriter
from talkvid.records import Array


def numbers(count: int, fps: float, wanted_fps: float) -> list[int]:
    frames = (np.full((1, 1, 3), number, np.uint8) for number in range(count))
    return [int(frame[0, 0, 0]) for frame in at_rate(frames, fps=fps, wanted_fps=wanted_fps)]


def test_the_nearest_picture_is_taken_of_two_the_earlier() -> None:
    assert numbers(5, 25, 25) == [0, 1, 2, 3, 4]
    assert numbers(6, 30, 25) == [0, 1, 2, 4, 5]
    # Times 0, 0.5, 1, … of the pictures: the half lies between two, and the earlier one is taken.
    assert numbers(3, 1, 2) == [0, 0, 1, 1, 2, 2]
    assert numbers(4, 2, 1) == [0, 2]
    assert numbers(1, 30, 1) == [0] and numbers(0, 30, 25) == []


def test_a_second_stays_a_second() -> None:
    for fps in (10, 23.976, 24, 29.97, 30, 50, 60):
        assert len(numbers(round(4 * fps), fps, 25)) == pytest.approx(100, abs=1)


@pytest.mark.parametrize("fps", [24.0, 30.0, 50.0])
def test_it_is_what_decoding_at_that_rate_gives(tmp_path: Path, fps: float) -> None:
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 32, 32, fps) as writer:
        for number in range(33):
            writer.write(np.full((32, 32, 3), 7 * number, np.uint8))
    ours: list[Array] = list(at_rate(read_frames(path), fps=fps, wanted_fps=25))
    theirs = list(read_frames(path, fps=25))
    assert len(ours) == len(theirs)
    assert all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_rates_that_are_none_are_refused() -> None:
    for fps, wanted in ((0.0, 25.0), (25.0, -1.0)):
        with pytest.raises(ValueError, match="above 0"):
            numbers(3, fps, wanted)
