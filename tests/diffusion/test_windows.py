import json
from itertools import pairwise
from pathlib import Path

import pytest

from talkvid.diffusion.windows import (
    context_windows,
    diagonal_order,
    frame_coverage,
    plain_order,
    real_frames,
    wavefront,
    window_reach,
)

PARITY = Path(__file__).parents[1] / "data" / "parity" / "context_windows.json"

# Where the reference mirrors frame numbers at the end, ours repeats the last frame: worked by hand.
CORRECTED = {
    "6,2,15": [12, 13, 14, 14, 14, 14],
    "6,2,16": [12, 13, 14, 15, 15, 15],
    "24,4,50": [*range(40, 50), *[49] * 14],
    "24,4,47": [*range(40, 47), *[46] * 17],
}


@pytest.mark.parametrize("key", json.loads(PARITY.read_text()))
def test_windows_equal_the_golden_ones_but_for_the_padding(key: str) -> None:
    golden = json.loads(PARITY.read_text())[key]
    size, overlap, num_frames = map(int, key.split(","))
    windows = context_windows(num_frames, size, overlap)
    if key in CORRECTED:
        assert windows[:-1] == golden[:-1]
        assert windows[-1] == CORRECTED[key] != golden[-1]
    else:
        assert windows == golden


@pytest.mark.parametrize("num_frames", [1, 2, 3, 10, 23])
def test_a_video_shorter_than_a_window_is_one_window_of_its_own_length(num_frames: int) -> None:
    assert context_windows(num_frames, 24, 4) == [list(range(num_frames))]


@pytest.mark.parametrize(("size", "overlap"), [(24, 4), (6, 2), (8, 0), (12, 6), (5, 4), (1, 0)])
def test_every_frame_is_covered_and_no_window_is_padding_alone(size: int, overlap: int) -> None:
    for num_frames in range(1, 90):
        windows = context_windows(num_frames, size, overlap)
        assert min(frame_coverage(windows, num_frames)) >= 1
        assert max(max(window) for window in windows) == num_frames - 1
        for left, right in pairwise(windows):
            assert len(set(left) & set(right)) == overlap
            assert right[-1] == num_frames - 1 or len(real_frames(right)) == size


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 24, 4), "1 frame"),
        ((5, 0, 0), "context_frames"),
        ((50, 24, 24), "context_overlap"),
        ((50, 24, -1), "-1"),
    ],
)
def test_impossible_windows_are_refused(arguments: tuple[int, int, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        context_windows(*arguments)


@pytest.mark.parametrize("reach", [0, 1, 2, 4])
def test_the_diagonal_order_visits_all_pairs_once_and_never_too_early(reach: int) -> None:
    for num_windows in (1, 2, 5, 9):
        for num_steps in (1, 2, 7):
            pairs = list(diagonal_order(num_windows, num_steps, reach))
            assert sorted(pairs) == sorted(plain_order(num_windows, num_steps))
            done: set[tuple[int, int]] = set()
            for window, step in pairs:
                for near in range(max(0, window - reach), min(num_windows, window + reach + 1)):
                    assert step == 0 or (near, step - 1) in done
                done.add((window, step))


@pytest.mark.parametrize("reach", [0, 1, 2, 4])
@pytest.mark.parametrize("batch", [1, 2, 3, 16])
def test_the_wavefront_visits_all_pairs_once_and_a_list_needs_nothing_of_itself(
    reach: int, batch: int
) -> None:
    for num_windows in (1, 2, 5, 9, 30):
        for num_steps in (1, 2, 7):
            lists = list(wavefront(num_windows, num_steps, reach, batch=batch))
            assert all(1 <= len(pairs) <= batch for pairs in lists)
            visited = [pair for pairs in lists for pair in pairs]
            assert sorted(visited) == sorted(plain_order(num_windows, num_steps))
            done: set[tuple[int, int]] = set()
            for pairs in lists:
                for window, step in pairs:
                    for near in range(max(0, window - reach), min(num_windows, window + reach + 1)):
                        assert step == 0 or (near, step - 1) in done
                        # Sums over the windows of a frame are made in order of time, as in plain order.
                        assert near >= window or (near, step) in done or (near, step) in pairs
                done.update(pairs)


def test_the_wavefront_fills_its_lists_and_keeps_few_windows_under_way() -> None:
    lists = list(wavefront(400, 25, 1, batch=4))
    assert len(lists) <= 1.03 * 400 * 25 / 4
    begun: set[int] = set()
    finished: set[int] = set()
    most = 0
    for pairs in lists:
        begun.update(window for window, _ in pairs)
        most = max(most, len(begun) - len(finished))
        finished.update(window for window, step in pairs if step == 24)
    assert most <= 25 + 2 * 4


def test_the_wavefront_begins_late_with_no_more_than_what_later_windows_need() -> None:
    for reach in (1, 2):
        visited = [pair for pairs in wavefront(20, 5, reach, batch=3, first=9) for pair in pairs]
        needed = [pair for pair in plain_order(20, 5) if pair[0] >= 9 - reach * (4 - pair[1])]
        assert sorted(visited) == sorted(needed)


def test_the_reach_counts_the_neighbours_that_share_frames() -> None:
    cases = [(24, 4), (24, 12), (24, 13), (8, 0), (5, 4)]
    assert [window_reach(size, overlap) for size, overlap in cases] == [1, 1, 2, 0, 4]
