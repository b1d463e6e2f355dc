"""The pictures that the motion scores look at are the published ones, and exist for every clip."""

import json
from pathlib import Path
from typing import Any

import pytest

from talkvid.curation.motion_frames import segment_pictures, segments

STORED = json.loads((Path(__file__).parents[1] / "data/curation/motion_frames.json").read_text())


@pytest.mark.parametrize("row", STORED["segments"], ids=lambda row: str(row[0]))
def test_stretches_are_the_published_ones(row: list[Any]) -> None:
    assert [list(stretch) for stretch in segments(row[0])] == row[1]


@pytest.mark.parametrize("fps", sorted({row[0] for row in STORED["rows"]}))
def test_pictures_are_the_published_ones(fps: float) -> None:
    rows = [row for row in STORED["rows"] if row[0] == fps and row[3] is not None]
    for _, duration, frames, expected, whole in rows:
        found = segment_pictures(fps, frames, duration)
        if not whole:
            found = [[pictures[0], len(pictures), pictures[-1]] for pictures in found]
        assert found == expected, (fps, duration, frames)
    assert rows or fps < 2


def test_where_the_published_choice_stopped_there_are_pictures() -> None:
    # Once: below 5 pictures a second `[0:-0]` left no picture, and below 2 the stride was 0.
    stopped = [row for row in STORED["rows"] if row[3] is None]
    assert len(stopped) >= 9
    for fps, duration, frames, _, _ in stopped:
        for pictures in segment_pictures(fps, frames, duration):
            assert pictures and pictures[0] >= 0 and pictures[-1] < frames
    assert segment_pictures(4.0, 24, 6.0) == [list(range(0, 24, 2))]
    assert segment_pictures(1.0, 10, 10.0) == [list(range(6)), list(range(4, 10))]


@pytest.mark.parametrize("fps", [0.5, 1, 3, 5, 12.5, 24000 / 1001, 25, 30, 47.3, 60, 120])
def test_every_clip_has_pictures_within_it_and_in_order(fps: float) -> None:
    for frames in [1, 2, 3, 7, 31, 200, 901]:
        chosen = segment_pictures(fps, frames, frames / fps)
        assert chosen
        for pictures in chosen:
            assert pictures == sorted(set(pictures))
            assert pictures[0] >= 0 and pictures[-1] < frames
