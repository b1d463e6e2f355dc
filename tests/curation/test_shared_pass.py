"""All scorers of a clip share one decode, and one that breaks takes no other with it."""

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from curation_jobs import draw_video

from talkvid.curation.records import Span
from talkvid.curation.shared_pass import file_pictures, view
from talkvid.media.video import read_at, read_frames
from talkvid.media.video_pick import pick_pictures
from talkvid.media.video_stream import Picture
from talkvid.media.video_window import FrameTables
from talkvid.records import Array

SPAN = Span("v", "v.mp4", 1, 0, 20, (1, 10), 0, 20, 4, 4, 10.0)


class Watcher:
    backend = "test"

    def __init__(self, stage: str, wanted: Sequence[int], breaks_at: int = -1) -> None:
        self.stage, self.breaks_at = stage, breaks_at
        self._wanted = wanted
        self.seen: list[int] = []
        self.pictures: list[Array] = []

    def signature(self) -> Mapping[str, Any]:
        return {}

    def wanted(self, span: Span) -> Sequence[int]:
        return self._wanted

    def begin(self, span: Span) -> "Watcher":
        return self

    def see(self, index: int, picture: Array) -> None:
        if index == self.breaks_at:
            raise ZeroDivisionError("no points")
        self.seen.append(index)
        self.pictures.append(picture)

    def finish(self) -> Mapping[str, float]:
        return {}


def picture_of(value: int) -> Picture:
    return Picture.of(np.full((4, 4, 3), value, np.uint8))


def counted(asked: list[int]) -> Any:
    def pictures(span: Span, indices: Sequence[int]) -> Iterator[tuple[int, Picture]]:
        for index in indices:
            asked.append(index)
            yield index, picture_of(index)

    return pictures


def test_every_picture_is_decoded_once_and_shown_in_order_to_those_who_want_it() -> None:
    # Once: each scorer decoded the clip for itself, the head stage once more for every second.
    scorers = {"head": Watcher("head", [0, 10]), "quality": Watcher("quality", [0, 5, 10, 19])}
    asked: list[int] = []
    viewing = view(SPAN, scorers, pictures=counted(asked))
    assert asked == [0, 5, 10, 19] and viewing.num_pictures == 4
    assert scorers["head"].seen == [0, 10] and scorers["quality"].seen == [0, 5, 10, 19]
    assert set(viewing.looks) == {"head", "quality"} and viewing.seconds["decode"] > 0


def test_a_scorer_that_breaks_is_left_out_and_the_others_see_on() -> None:
    scorers = {"head": Watcher("head", [0, 5, 10], breaks_at=5), "motion": Watcher("motion", [0, 5, 10])}
    viewing = view(SPAN, scorers, pictures=counted([]))
    assert scorers["motion"].seen == [0, 5, 10] and set(viewing.looks) == {"motion"}
    assert isinstance(viewing.faults["head"], ZeroDivisionError)


def test_a_file_that_breaks_off_is_damage_and_no_fault_of_a_scorer() -> None:
    def broken(span: Span, indices: Sequence[int]) -> Iterator[tuple[int, Picture]]:
        yield 0, picture_of(0)
        raise ValueError("v.mp4: cut short")

    viewing = view(SPAN, {"head": Watcher("head", [0, 5])}, pictures=broken)
    assert viewing.damage == "v.mp4: cut short" and not viewing.faults


def test_pictures_of_a_span_are_exactly_those_of_the_file(tmp_path: Path) -> None:
    path = draw_video(tmp_path / "v.mp4", seconds=6)
    span = Span("v", str(path), 1, 0, 0, (1, 10), 23, 20, 64, 64, 10.0)
    wanted = [0, 1, 7, 19]
    watcher = Watcher("quality", wanted)
    view(span, {"quality": watcher}, pictures=file_pictures(FrameTables()))
    assert watcher.seen == wanted
    for picture, expected in zip(
        watcher.pictures, read_at(path, [23 + index for index in wanted]), strict=True
    ):
        assert np.array_equal(picture, expected)
        with pytest.raises(ValueError, match="read-only"):
            picture[0, 0] = 0


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_picked_pictures_are_exact_with_b_frames_uneven_times_and_any_codec(
    tmp_path: Path, codec: str
) -> None:
    path = tmp_path / "uneven.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"bf": "2", "g": "9"})
        assert isinstance(stream, av.video.stream.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        stream.codec_context.time_base, stream.bit_rate = Fraction(1, 1000), 8_000_000
        for number in range(40):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 6 * number, np.uint8), format="rgb24")
            frame.pts, frame.time_base = number * 40 + (number % 3) * 11, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    wanted = [0, 1, 8, 9, 10, 30, 39]
    picked = [(index, picture.rgb()) for index, picture in pick_pictures(path, wanted, tables=FrameTables())]
    assert [index for index, _ in picked] == wanted
    everything = list(read_frames(path))
    assert len({picture.mean() for picture in everything}) == len(everything) == 40
    for index, picture in picked:
        assert np.array_equal(picture, everything[index])


def test_a_picture_behind_the_end_is_an_error(tmp_path: Path) -> None:
    path = draw_video(tmp_path / "v.mp4")
    with pytest.raises(ValueError, match="frames 3 to 10 are asked for, it has 10"):
        list(pick_pictures(path, [3, 10], tables=FrameTables()))
