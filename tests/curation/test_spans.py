import itertools
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talkvid.config import load_config
from talkvid.curation.balance import BalanceConfig, draw_lengths
from talkvid.curation.fixed_windows import fixed_windows
from talkvid.curation.scan_config import ScanConfig, pieces_of
from talkvid.curation.spans import Piece, Timeline, centred, divided, trimmed, windowed

STORED: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data/curation/fixed_windows.json").read_text()
)


def even(num_frames: int, fps: int = 25) -> Timeline:
    return Timeline(range(0, (num_frames + 1) * 512, 512), Fraction(1, 512 * fps))


def whole(timeline: Timeline) -> Piece:
    stop = len(timeline.stamps) - 1
    return Piece(0, stop, timeline.length(0, stop), 1)


def no_pauses(start_s: Fraction, end_s: Fraction) -> list[Fraction]:
    return []


def parts(timeline: Timeline, **changes: Any) -> list[Piece]:
    settings = {"shortest_s": 3.0, "longest_s": 30.0, "lengths_s": None, "pauses": no_pauses, "reach_s": 3.0}
    return divided(timeline, whole(timeline), **{**settings, **changes})


def seconds(timeline: Timeline, pieces: list[Piece]) -> list[float]:
    return [float(timeline.length(piece.first, piece.stop)) for piece in pieces]


def test_margins_are_left_out_beside_cuts_only() -> None:
    pieces = trimmed(even(300), [(0, 100), (100, 200), (200, 300)], start_s=0.3, end_s=0.1, at_ends=False)
    assert [(piece.first, piece.stop) for piece in pieces] == [(0, 98), (108, 198), (208, 300)]
    assert [float(piece.nominal_s) for piece in pieces] == [3.9, 3.6, 3.7]


def test_margins_at_the_ends_of_the_file_are_left_out_when_asked() -> None:
    [piece] = trimmed(even(100), [(0, 100)], start_s=0.3, end_s=0.1, at_ends=True)
    assert (piece.first, piece.stop, piece.nominal_s) == (8, 98, Fraction(36, 10))


def test_a_take_shorter_than_its_margins_stays_to_be_rejected_by_name() -> None:
    pieces = trimmed(even(120), [(0, 50), (50, 60), (60, 120)], start_s=0.3, end_s=0.1, at_ends=False)
    assert (pieces[1].first, pieces[1].stop, float(pieces[1].nominal_s)) == (50, 60, 0)
    assert ScanConfig().judged_length(Fraction(10, 25), pieces[1].nominal_s) == 0


@pytest.mark.parametrize(
    ("length_s", "expected_s"), [(4.9, 4.9), (5, 5), (9.99, 5), (10, 10), (17, 15), (24.9, 20), (80, 25)]
)
def test_fixed_lengths_are_cut_from_the_middle(length_s: float, expected_s: float) -> None:
    timeline = even(2000, fps=100)
    stop = round(length_s * 100)
    piece = centred(
        Timeline(range(8001), Fraction(1, 100)),
        Piece(0, stop, Fraction(stop, 100), 1),
        ScanConfig().fixed_s,
    )
    assert (piece.stop - piece.first) / 100 == expected_s
    assert abs((piece.first + piece.stop) - stop) <= 1
    assert len(timeline.stamps) == 2001


def test_windows_have_the_times_of_their_pictures() -> None:
    # Once: from the third window on the times were wrong: starts were added to starts moved before.
    rows = STORED["rows"]
    timeline = even(448, fps=30)
    windows = windowed(timeline, whole(timeline), 121)
    starts = [0.1 + float(timeline.seconds(piece.first)) for piece in windows]
    ends = [0.1 + float(timeline.seconds(piece.stop)) for piece in windows]
    assert starts == pytest.approx([row["right_start_time"] for row in rows], abs=1e-9)
    assert ends == pytest.approx([row["right_end_time"] for row in rows], abs=1e-9)
    assert [f"{float(piece.nominal_s):.3f}s" for piece in windows] == [row["durations"] for row in rows]
    assert abs(starts[2] - rows[2]["start-time"]) > 4


def test_the_published_example_is_a_window_of_121_pictures() -> None:
    example = STORED["readme_example"]
    assert example["start"] + float(even(300, fps=24).length(0, 121)) == pytest.approx(
        example["end"], abs=1e-9
    )


def test_a_clip_shorter_than_a_window_has_no_window_and_no_negative_start() -> None:
    # Once: the window of such a clip began before the clip.
    assert fixed_windows(120, 121) == []
    timeline = even(100)
    assert windowed(timeline, whole(timeline), 121) == [whole(timeline)]
    assert fixed_windows(242, 121) == [(0, 121), (121, 242)]
    assert fixed_windows(243, 121) == [(0, 121), (121, 242), (122, 243)]
    with pytest.raises(ValueError, match="at least 1 picture"):
        fixed_windows(10, 0)


def test_a_take_that_is_not_too_long_stays_whole() -> None:
    timeline = even(750)
    assert parts(timeline) == [whole(timeline)]


@pytest.mark.parametrize("num_frames", [751, 800, 824, 1500, 1501, 4321, 20000])
def test_long_takes_become_equal_parts_without_a_gap(num_frames: int) -> None:
    timeline = even(num_frames)
    pieces = parts(timeline)
    lengths = seconds(timeline, pieces)
    assert pieces[0].first == 0 and pieces[-1].stop == num_frames
    assert all(before.stop == after.first for before, after in itertools.pairwise(pieces))
    assert max(lengths) <= 30 and max(lengths) - min(lengths) < 0.2
    assert len(pieces) == -(-num_frames // 750)


def test_long_takes_end_in_pauses_of_speech_within_reach() -> None:
    timeline = even(1250)
    pauses = [Fraction(12), Fraction(24), Fraction(27), Fraction(40)]
    pieces = parts(timeline, pauses=lambda start, end: pauses)
    assert [piece.stop for piece in pieces] == [600, 1250]
    assert [piece.stop for piece in parts(timeline, pauses=lambda start, end: pauses, reach_s=0.5)] == [
        625,
        1250,
    ]


@pytest.mark.parametrize("seed", range(5))
def test_drawn_lengths_are_even_over_the_range_and_the_same_for_a_seed(seed: int) -> None:
    timeline = even(25 * 3600)
    lengths = {"shortest_s": 3.0, "longest_s": 30.0}
    found = [
        seconds(timeline, parts(timeline, lengths_s=draw_lengths(key, seed=seed, **lengths), reach_s=0.0))
        for key in ("a", "a", "b")
    ]
    assert found[0] == found[1] != found[2]
    assert min(found[0]) >= 3 and max(found[0]) <= 30 and sum(found[0]) == pytest.approx(3600)
    counts, _ = np.histogram(found[0], bins=3, range=(3, 30))
    assert counts.min() > 0.6 * counts.max()


def test_pictures_further_apart_than_the_lengths_asked_for_end_the_division() -> None:
    timeline = Timeline([0, 100, 101], Fraction(1))
    pieces = parts(timeline)
    assert [(piece.first, piece.stop) for piece in pieces] == [(0, 2)]


def test_uneven_pictures_are_divided_by_their_times() -> None:
    steps = np.random.default_rng(0).integers(10, 90, 3000)
    timeline = Timeline([0, *np.cumsum(steps).tolist()], Fraction(1, 1000))
    lengths = seconds(timeline, parts(timeline))
    assert max(lengths) <= 30 and min(lengths) > 25 and sum(lengths) == pytest.approx(steps.sum() / 1000)


def test_wrong_settings_are_named() -> None:
    wrong: dict[str, Any]
    for wrong, words in (
        ({"shortest_s": 0.0}, "shortest_s must be above 0"),
        ({"longest_s": 5.0}, "at most half of longest_s"),
        ({"margin_end_s": -1.0}, "margin_end_s must be 0 or more"),
        ({"fixed_s": ()}, "fixed_s must hold"),
        ({"window_frames": 0}, "window_frames must be at least 1"),
        ({"lengths": "odd"}, "lengths 'odd' is unknown"),
    ):
        with pytest.raises(ValueError, match=words):
            ScanConfig(**wrong)
    with pytest.raises(ValueError, match="shortest_s < longest_s"):
        BalanceConfig(shortest_s=30)


@pytest.mark.parametrize(("length_s", "judged"), [("4.94", 4.9), ("5.04", 5.0), ("5.05", 5.0), ("5.06", 5.1)])
def test_rounded_lengths_are_judged_as_in_the_published_set(length_s: str, judged: float) -> None:
    config = ScanConfig(duration_digits=1)
    assert config.judged_length(Fraction("7"), Fraction(length_s)) == judged


def test_every_way_of_lengths_covers_what_it_says() -> None:
    timeline = even(2500)
    counts = {}
    for name in ("whole", "balanced", "fixed", "windows"):
        config = load_config(ScanConfig, overrides=[f"lengths={name}"])
        counts[name] = len(pieces_of(timeline, [(0, 2000), (2000, 2500)], config, key="v", pauses=no_pauses))
    assert counts["fixed"] == 2 and counts["whole"] == 4 and counts["windows"] == 17 + 5
    assert 4 <= counts["balanced"] <= 20
    assert len(pieces_of(timeline, [(0, 2500)], ScanConfig(longest_s=0), key="", pauses=no_pauses)) == 1
